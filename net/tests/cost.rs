//! What a connection costs. Not run by default: `cargo test --release -p net --test cost -- --ignored --nocapture`.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test fails by a panic")]
#![allow(clippy::disallowed_methods, reason = "plain threads play the clients")]

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use common::{Server, Setup, frame, thread_cpu};
use net::connection::Limits;

mod common;

/// Writes `requests` frames of `length` bytes, `window` at once, and reads as many answers, in large pieces.
fn drive(mut stream: TcpStream, length: usize, requests: usize, window: usize) {
    let burst = frame(&vec![b'e'; length]).repeat(window);
    let mut answer = vec![0; 1 << 20];
    let (mut asked, mut received) = (0, 0);
    let answer_bytes = length + 4;
    let mut reader = stream.try_clone().unwrap();
    while asked < requests {
        stream.write_all(&burst).unwrap();
        asked += window;
        // Keeps one burst ahead, so that the other side always has something to do.
        while received < asked.saturating_sub(window) * answer_bytes {
            received += reader.read(&mut answer).unwrap();
        }
    }
    while received < asked * answer_bytes {
        received += reader.read(&mut answer).unwrap();
    }
}

/// The least that echoing can cost: large receives, and sends of what was received.
fn bare(length: usize, requests: usize, window: usize) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let echo = thread::Builder::new().spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut buffer = vec![0; 256 << 10];
        loop {
            let received = stream.read(&mut buffer).unwrap();
            if received == 0 {
                return thread_cpu();
            }
            stream.write_all(&buffer[..received]).unwrap();
        }
    });
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    drive(stream, length, requests, window);
    echo.unwrap().join().unwrap()
}

#[test]
#[ignore = "a measurement"]
fn cpu_per_request() {
    for (length, window, requests) in [
        (16 << 10, 16, 100_000),
        (16 << 10, 1, 50_000),
        (200, 64, 1_000_000),
        (200, 1, 100_000),
        (1 << 20, 2, 3000),
    ] {
        let bare = bare(length, requests, window);
        if std::env::var("WINDOW").is_ok_and(|only| only != window.to_string()) {
            continue;
        }
        // BUFFERS=102400 is Kafka's default for sockets, in place of the kernel's choice.
        let buffers = std::env::var("BUFFERS").ok().map(|bytes| bytes.parse().unwrap());
        let limits = Limits {
            send_buffer_bytes: buffers,
            receive_buffer_bytes: buffers,
            ..Limits::default()
        };
        let server = Server::start(Setup { limits, ..Setup::default() });
        let client = server.connect();
        drive(client.stream, length, requests, window);
        let report = server.stop();
        let per = |cpu: Duration| cpu.as_nanos() as f64 / requests as f64 / 1000.0;
        let each = |count: u64| count as f64 / requests as f64;
        eprintln!(
            "{length} bytes, {window} at once: {:.2} us a request, bare {:.2}; receives {:.3} sends {:.3} enters {:.3}",
            per(report.cpu),
            per(bare),
            each(report.receives),
            each(report.sends),
            each(report.enters)
        );
    }
}

/// Many connections, each with one request at a time.
#[test]
#[ignore = "a measurement"]
fn cpu_per_request_of_many_connections() {
    for (length, connections, rounds) in [(200, 64, 5000), (16 << 10, 64, 2000), (200, 1000, 300)] {
        let server = Server::start(Setup::default());
        let mut clients: Vec<_> = (0..connections).map(|_| server.connect()).collect();
        let request = vec![b'e'; length];
        for _ in 0..rounds {
            clients.iter_mut().for_each(|client| client.send(&request));
            clients.iter_mut().for_each(|client| assert_eq!(client.receive().len(), length));
        }
        drop(clients);
        let report = server.stop();
        let requests = connections * rounds;
        let each = |count: u64| count as f64 / requests as f64;
        eprintln!(
            "{length} bytes on {connections} connections: {:.2} us a request; receives {:.3} sends {:.3} enters {:.3}",
            report.cpu.as_nanos() as f64 / requests as f64 / 1000.0,
            each(report.receives),
            each(report.sends),
            each(report.enters)
        );
    }
}

#[test]
#[ignore = "a measurement"]
fn memory_of_an_idle_connection() {
    const CONNECTIONS: usize = 5000;
    let resident = || {
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    let server = Server::start(Setup::default());
    drop(server.connect().ask(&[b'e'; 16 << 10]));
    let before = resident();
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.ask(&[b'e'; 1000]).len(), 1000));
    // Second stages too.
    clients.iter_mut().for_each(|client| assert_eq!(client.ask(b"L\x00x"), b"L\x00x"));
    thread::sleep(Duration::from_millis(500));
    let each = (resident() - before) / CONNECTIONS;
    eprintln!(
        "{each} bytes resident for each of {CONNECTIONS} idle connections, {} of the budget",
        server.used()
    );
    assert!(each < 8 << 10, "{each} bytes");
    assert_eq!(server.used(), 0);
    drop(clients);
    server.stop();
}
