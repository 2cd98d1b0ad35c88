//! Requests in, answers out, in order; limits and deadlines; draining.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test fails by a panic")]
#![allow(clippy::disallowed_methods, reason = "plain threads play the clients")]

use std::{
    io::{Read, Write},
    thread,
    time::Duration,
};

use common::{Server, Setup, frame, pattern, sum};
use net::connection::{CloseReason, Limits};

mod common;

fn with_limits(limits: Limits) -> Setup {
    Setup { limits, ..Setup::default() }
}

#[test]
fn answers_come_in_the_order_of_requests() {
    let server = Server::start(Setup::default());
    let mut client = server.connect();
    let delays = [30_u8, 0, 20, 0, 0, 10, 5, 0, 40, 1];
    let requests: Vec<Vec<u8>> = (0..200_usize)
        .map(|n| match n % 3 {
            0 => vec![b'L', delays[n / 3 % delays.len()], n as u8],
            _ => vec![b'e', n as u8],
        })
        .collect();
    let stream: Vec<u8> = requests.iter().flat_map(|request| frame(request)).collect();
    client.stream.write_all(&stream).unwrap();
    requests.iter().for_each(|request| assert_eq!(client.receive(), *request));
    let report = server.stop();
    assert_eq!((report.requests, report.budget_left), (200, 0));
}

#[test]
fn frames_of_all_lengths_arrive_whole() {
    let server = Server::start(Setup::default());
    let lengths = [
        0,
        1,
        100,
        4092,
        4093,
        5000,
        16 << 10,
        64 << 10,
        (64 << 10) + 1,
        300_000,
        1 << 20,
        (1 << 20) + 1,
        5 << 20,
    ];
    let clients: Vec<_> = (0..4_u64)
        .map(|seed| {
            let mut client = server.connect();
            let client = thread::Builder::new().spawn(move || {
                let requests: Vec<Vec<u8>> = (0..40_u64)
                    .map(|n| {
                        let mut request = pattern(
                            lengths[(n * 7 + seed) as usize % lengths.len()],
                            n + seed * 1000,
                        );
                        if let Some(first) = request.first_mut() {
                            *first = b'#';
                        }
                        request
                    })
                    .collect();
                let mut writer = client.stream.try_clone().unwrap();
                let writing = thread::Builder::new().spawn({
                    let requests = requests.clone();
                    move || {
                        for (n, request) in requests.iter().enumerate() {
                            // In uneven pieces: the beginning of a frame often arrives alone.
                            let bytes = frame(request);
                            let (now, later) = bytes.split_at((n * 1237) % (bytes.len() + 1));
                            writer.write_all(now).unwrap();
                            writer.write_all(later).unwrap();
                        }
                    }
                });
                for request in &requests {
                    let expected = if request.is_empty() {
                        vec![]
                    } else {
                        sum(request).to_be_bytes().to_vec()
                    };
                    assert_eq!(client.receive(), expected, "of {} bytes", request.len());
                }
                writing.unwrap().join().unwrap();
            });
            client.unwrap()
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!(server.stop().budget_left, 0);
}

#[test]
fn what_a_peer_may_not_do_closes_its_connection() {
    let server = Server::start(with_limits(Limits { frame_bytes_max: 1000, ..Limits::default() }));
    let cases: [(&[u8], CloseReason); 6] = [
        (&(-1_i32).to_be_bytes(), CloseReason::FrameLength),
        (&i32::MAX.to_be_bytes(), CloseReason::FrameLength),
        (&1001_i32.to_be_bytes(), CloseReason::FrameLength),
        (&frame(b"C"), CloseReason::Refused),
        (&frame(b"N"), CloseReason::Malformed),
        (&frame(b"C"), CloseReason::Refused),
    ];
    for (bytes, _) in &cases {
        let mut client = server.connect();
        client.stream.write_all(bytes).unwrap();
        assert!(client.is_closed());
    }
    // A peer that goes in the middle of a frame, and one that goes between two.
    let mut client = server.connect();
    client.stream.write_all(&[0, 0, 0, 10, 1]).unwrap();
    drop(client);
    let mut client = server.connect();
    assert_eq!(client.ask(b"e"), b"e");
    drop(client);
    thread::sleep(Duration::from_millis(50));
    let report = server.stop();
    for reason in CloseReason::ALL {
        let expected = cases.iter().filter(|(_, expected)| *expected == reason).count() as u64
            + u64::from(matches!(reason, CloseReason::Broken | CloseReason::PeerClosed));
        assert_eq!(report.closed(reason), expected, "{reason:?} in {report:?}");
    }
}

#[test]
fn silent_requests_have_no_answer() {
    let server = Server::start(Setup::default());
    let mut client = server.connect();
    client.send(b"S1");
    client.send(b"e1");
    client.send(b"S2");
    client.send(b"e2");
    assert_eq!((client.receive(), client.receive()), (b"e1".to_vec(), b"e2".to_vec()));
    server.stop();
}

#[test]
fn requests_in_flight_are_bounded_by_number_and_by_bytes() {
    for limits in [
        Limits { in_flight_requests_max: 3, ..Limits::default() },
        Limits { in_flight_bytes_max: 50, ..Limits::default() },
    ] {
        let server = Server::start(with_limits(limits));
        let mut client = server.connect();
        for n in 0..100_u8 {
            client.send(&[b'L', 1, n, 0, 0, 0, 0, 0, 0, 0]);
        }
        for n in 0..100_u8 {
            assert_eq!(client.receive()[2], n);
        }
        // One that is larger than the bound goes alone.
        let large = pattern(1000, 1);
        assert_eq!(client.ask(&large), large);
        server.stop();
    }
}

/// Of two hundred requests of five milliseconds each few are served before somebody else's.
#[test]
fn requests_that_take_long_give_way() {
    let server = Server::start(Setup::default());
    let mut busy = server.connect();
    let mut other = server.connect();
    assert_eq!(other.ask(b"e"), b"e");
    busy.stream.write_all(&frame(b"B\x05").repeat(200)).unwrap();
    busy.receive();
    for _ in 0..5 {
        assert_eq!(other.ask(b"e"), b"e");
    }
    let taken = drained(&mut busy);
    assert!(taken < 150, "{taken} more answers were there when five others had theirs");
    server.stop();
}

/// How many answers have arrived already.
fn drained(client: &mut common::Client) -> usize {
    client.stream.set_nonblocking(true).unwrap();
    let mut bytes = 0;
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = client.stream.read(&mut buffer) {
        bytes += read;
    }
    client.stream.set_nonblocking(false).unwrap();
    bytes / frame(b"B\x05").len()
}

/// A hundred answers of a megabyte may be in flight, but not all in memory: further requests wait for those before to leave.
#[test]
fn answers_that_nobody_takes_are_not_made() {
    let server = Server::start(with_limits(Limits {
        send_buffer_bytes: Some(64 << 10),
        in_flight_bytes_max: 1 << 30,
        ..Limits::default()
    }));
    let mut client = server.connect();
    let large = [&b"Z"[..], &(1_u64 << 20).to_be_bytes()].concat();
    client.stream.write_all(&frame(&large).repeat(100)).unwrap();
    let mut other = server.connect();
    for _ in 0..20 {
        assert_eq!(other.ask(b"e"), b"e");
        thread::sleep(Duration::from_millis(10));
    }
    drop(client);
    let report = server.stop();
    assert!(report.requests < 20 + 10, "{} requests were served", report.requests);
}

#[test]
fn a_client_that_never_reads_is_closed() {
    let server = Server::start(with_limits(Limits {
        send_timeout: Duration::from_secs(1),
        ..Limits::default()
    }));
    let mut client = server.connect();
    let mut request = vec![b'Z'];
    request.extend_from_slice(&(16_u64 << 20).to_be_bytes());
    client.send(&request);
    let mut other = server.connect();
    for _ in 0..20 {
        assert_eq!(other.ask(b"e"), b"e");
        thread::sleep(Duration::from_millis(10));
    }
    // 16 MiB may take 256 s at the floor: the test does not wait for it, a small answer's deadline below.
    drop(client);
    let mut small = server.connect();
    small.send(&[b'Z', 0, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(small.receive().len(), 65536);
    server.stop();
}

#[test]
fn idle_connections_are_closed_and_others_are_not() {
    let server = Server::start(with_limits(Limits {
        idle_timeout: Duration::from_millis(600),
        ..Limits::default()
    }));
    let mut idle = server.connect();
    assert_eq!(idle.ask(b"e"), b"e");
    let mut busy = server.connect();
    let mut waiting = server.connect();
    for _ in 0..8 {
        assert_eq!(busy.ask(b"e"), b"e");
        waiting.send(b"L\xffx");
        assert_eq!(waiting.receive(), b"L\xffx");
    }
    assert!(idle.is_closed());
    assert_eq!(server.stop().closed(CloseReason::Idle), 1);
}

#[test]
fn draining_lets_answers_leave_and_then_closes() {
    let server = Server::start(Setup { drain: Duration::from_secs(3), ..Setup::default() });
    let mut quick = server.connect();
    quick.send(b"L\xc8q");
    let mut idle = server.connect();
    assert_eq!(idle.ask(b"e"), b"e");
    let waiting = thread::Builder::new().spawn(move || (quick.receive(), quick.is_closed()));
    thread::sleep(Duration::from_millis(50));
    let address = server.address;
    let report = server.stop();
    assert_eq!(waiting.unwrap().join().unwrap(), (b"L\xc8q".to_vec(), true));
    assert!(idle.is_closed());
    assert_eq!(report.closed(CloseReason::Shutdown), 2);
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn more_connections_than_allowed_wait_for_others_to_end() {
    let server = Server::start(Setup { connections_max: 2, ..Setup::default() });
    let mut clients: Vec<_> = (0..2).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.ask(b"e"), b"e"));
    let mut late: Vec<_> = (0..2).map(|_| server.connect()).collect();
    late.iter_mut().for_each(|client| client.send(b"e"));
    late[0].stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let nothing = late[0].stream.read(&mut [0]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock, "it is not served yet");
    late[0].stream.set_read_timeout(None).unwrap();
    for mut late in late {
        assert_eq!(clients[0].ask(b"e"), b"e", "the others are");
        drop(clients.pop());
        assert_eq!(late.receive(), b"e");
        clients.push(late);
    }
    server.stop();
}

#[test]
fn a_peer_that_ends_its_stream_still_gets_its_answers() {
    let server = Server::start(Setup::default());
    let mut client = server.connect();
    client.send(b"L\x32x");
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.receive(), b"L\x32x");
    assert!(client.is_closed());
    assert_eq!(server.stop().closed(CloseReason::PeerClosed), 1);
}
