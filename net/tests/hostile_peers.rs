//! What clients may try: announce and stall, drip, never read. Memory stays within the budget and the others go on.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test fails by a panic")]
#![allow(clippy::disallowed_methods, reason = "plain threads play the clients")]

use std::{
    fs,
    io::{ErrorKind, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use common::{Client, Server, Setup, frame, pattern, sum};
use net::connection::{CloseReason, Limits};
use nix::sys::socket::{setsockopt, sockopt};

mod common;

const MIB: usize = 1 << 20;

/// One at a time: memory is measured.
#[expect(clippy::disallowed_types, reason = "no shard waits for it")]
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Sends as much of `bytes` as the connection takes without waiting.
fn send_some(client: &mut Client, bytes: &[u8]) {
    client.stream.set_nonblocking(true).unwrap();
    let mut rest = bytes;
    while !rest.is_empty() {
        match client.stream.write(rest) {
            Ok(sent) => rest = &rest[sent..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            // Closed already, and rightly.
            Err(_) => break,
        }
    }
}

/// Requests of `length` bytes, one after another, until `stop`; the number of answers and the longest wait.
fn go_on(
    server: &Server,
    length: usize,
    stop: &Arc<AtomicBool>,
) -> thread::JoinHandle<(usize, Duration)> {
    let mut client = server.connect();
    let stop = Arc::clone(stop);
    let thread = thread::Builder::new().spawn(move || {
        let mut request = pattern(length, 5);
        request[0] = b'#';
        let expected = sum(&request).to_be_bytes();
        let (mut answers, mut longest) = (0, Duration::ZERO);
        while !stop.load(Ordering::Relaxed) {
            let asked = Instant::now();
            assert_eq!(client.ask(&request), expected);
            longest = longest.max(asked.elapsed());
            answers += 1;
            if length < MIB {
                thread::sleep(Duration::from_millis(1));
            }
        }
        (answers, longest)
    });
    thread.unwrap()
}

/// `hostile` connections announce a frame of `announced` bytes and send as many as `sent` says of it, in turn, then nothing.
fn stallers(
    hostile: usize,
    announced: usize,
    sent: &[usize],
    small_max: Duration,
    large_max: Duration,
) {
    let _alone = ALONE.lock();
    let server = Server::start(Setup { receive_bytes: 16 * MIB, ..Setup::default() });
    let mut large_client = server.connect();
    assert_eq!(large_client.ask(&pattern(2 * MIB, 1)).len(), 2 * MIB, "warms the allocator");
    let before = resident();
    let (stop, peak) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
    let small = go_on(&server, 200, &stop);
    let large = go_on(&server, 8 * MIB, &stop);
    let bytes = pattern(*sent.iter().max().unwrap(), 3);
    let mut clients = Vec::new();
    let watch = |resident_max: &AtomicUsize| {
        resident_max.fetch_max(resident(), Ordering::Relaxed);
        assert!(server.used() <= server.budget, "{} of {} are used", server.used(), server.budget);
    };
    for n in 0..hostile {
        let mut client = server.connect();
        send_some(&mut client, &(announced as u32).to_be_bytes());
        send_some(&mut client, &bytes[..sent[n % sent.len()]]);
        clients.push(client);
        watch(&peak);
    }
    for _ in 0..200 {
        watch(&peak);
        // Those that have not been taken everything from go on sending.
        let greedy = clients.iter_mut().zip(sent.iter().cycle()).filter(|(_, sent)| **sent > MIB);
        greedy.for_each(|(client, _)| send_some(client, &bytes));
        thread::sleep(Duration::from_millis(20));
    }
    stop.store(true, Ordering::Relaxed);
    let (small_answers, small_longest) = small.join().unwrap();
    let (large_answers, large_longest) = large.join().unwrap();
    let grown = peak.load(Ordering::Relaxed).saturating_sub(before);
    eprintln!(
        "{hostile} x {announced}: grown by {} MiB of {}; small {small_answers} in at most {small_longest:?}, large \
         {large_answers} in at most {large_longest:?}",
        grown / MIB,
        server.budget / MIB
    );
    // Beside the budget: 16 MiB for the two honest clients themselves, the tasks of the connections, the allocator.
    assert!(grown < server.budget + 48 * MIB, "memory has grown by {} MiB", grown / MIB);
    assert!(
        small_answers > 20 && small_longest < small_max,
        "{small_answers} in at most {small_longest:?}"
    );
    assert!(
        large_answers >= 2 && large_longest < large_max,
        "{large_answers} in at most {large_longest:?}"
    );
    drop(clients);
    drop(large_client);
    let report = server.stop();
    assert_eq!(report.budget_left, 0);
    assert!(report.closed(CloseReason::SlowSender) > hostile as u64 / 4, "{report:?}");
}

#[test]
fn a_thousand_that_announce_and_stall() {
    let quick = Duration::from_secs(3);
    stallers(1000, 100 * MIB, &[0, 1, 5000, 100_000], quick, Duration::from_secs(15));
}

#[test]
fn three_hundred_that_stall_after_a_megabyte() {
    let quick = Duration::from_secs(3);
    stallers(300, 100 * MIB, &[MIB], quick, Duration::from_secs(15));
}

#[test]
fn three_hundred_that_send_as_much_as_is_taken() {
    let quick = Duration::from_secs(3);
    stallers(300, 100 * MIB, &[0, 5000, 8 * MIB], quick, Duration::from_secs(15));
}

#[test]
fn a_thousand_small_frames_that_fill_the_budget() {
    // These may fill the budget; when somebody waits for it, those below the floor are closed, after a grace of two seconds.
    stallers(1000, MIB, &[200_000, 150_000], Duration::from_secs(15), Duration::from_secs(20));
}

#[test]
fn a_byte_now_and_then() {
    let _alone = ALONE.lock();
    let server = Server::start(Setup::default());
    let stop = Arc::new(AtomicBool::new(false));
    let small = go_on(&server, 200, &stop);
    let mut clients: Vec<_> = (0..200).map(|_| server.connect()).collect();
    let request = frame(b"drip");
    for byte in &request {
        clients.iter_mut().for_each(|client| client.stream.write_all(&[*byte]).unwrap());
        thread::sleep(Duration::from_millis(250));
        assert!(
            server.used() <= 201 * 4096 + 300 * 1024,
            "{} bytes for single ones",
            server.used()
        );
    }
    clients.iter_mut().for_each(|client| assert_eq!(client.receive(), b"drip"));
    stop.store(true, Ordering::Relaxed);
    let (answers, longest) = small.join().unwrap();
    assert!(answers > 20 && longest < Duration::from_secs(3), "{answers} in at most {longest:?}");
    server.stop();
}

#[test]
fn clients_that_never_read() {
    let limits = Limits {
        send_timeout: Duration::from_secs(1),
        send_buffer_bytes: Some(64 << 10),
        in_flight_bytes_max: MIB,
        ..Limits::default()
    };
    let _alone = ALONE.lock();
    let server = Server::start(Setup { limits, ..Setup::default() });
    let stop = Arc::new(AtomicBool::new(false));
    let small = go_on(&server, 200, &stop);
    let mut clients: Vec<_> = (0..50).map(|_| server.connect()).collect();
    let request = frame(&[&b"Z"[..], &(32_u64 << 20).to_be_bytes()].concat());
    for client in &mut clients {
        setsockopt(&client.stream, sockopt::RcvBuf, &4096).unwrap();
        // More requests than it may have in flight: it is not read either.
        send_some(client, &request.repeat(20));
    }
    thread::sleep(Duration::from_secs(3));
    stop.store(true, Ordering::Relaxed);
    let (answers, longest) = small.join().unwrap();
    assert!(answers > 20 && longest < Duration::from_secs(3), "{answers} in at most {longest:?}");
    let report = server.stop();
    assert_eq!(report.closed(CloseReason::SlowReader), 50, "{report:?}");
}
