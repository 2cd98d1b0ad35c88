//! Operations on sockets, waits, and waking from other threads.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(clippy::disallowed_methods, reason = "plain threads play the other side")]

use std::{
    future::poll_fn,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::fd::OwnedFd,
    sync::Arc,
    task::Poll,
    thread,
    time::Duration,
};

use bytes::Bytes;
use common::{pair, with_ring};
use ring::{Ring, RingOptions, WakeHandle, buffer::AppendBuffer, op::Message};

mod common;

#[test]
fn accepts_receives_and_sends() {
    with_ring(RingOptions::default(), |ring| async move {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let listener = Arc::new(OwnedFd::from(listener));
        let client = thread::Builder::new().spawn(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"hello").unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            answer
        });
        let socket = Arc::new(ring.accept(&listener).await.unwrap());
        let (received, buffer) = ring.receive(&socket, AppendBuffer::new(64), 64).await;
        assert_eq!((received.unwrap(), buffer.filled()), (5, &b"hello"[..]));
        let mut message = Message::new();
        (0..200).for_each(|n: u8| message.push(Bytes::from(vec![n; 100])));
        while !message.is_empty() {
            let (sent, back) = ring.send(&socket, message, false).await;
            message = back;
            message.advance(sent.unwrap());
        }
        ring.shutdown(&socket, Shutdown::Both).await.unwrap();
        let answer = client.unwrap().join().unwrap();
        let expected: Vec<u8> = (0..200).flat_map(|n: u8| vec![n; 100]).collect();
        assert_eq!(answer, expected);
    });
}

#[test]
fn a_dropped_receive_swallows_nothing() {
    with_ring(RingOptions::default(), |ring| async move {
        let (socket, mut peer) = pair();
        drop(ring.receive(&socket, AppendBuffer::new(64), 64));
        ring.idle().await;
        peer.write_all(b"later").unwrap();
        assert_ne!(ring.poll_add(&socket, libc::POLLIN).await.unwrap(), 0);
        let mut buffer = AppendBuffer::new(64);
        assert_eq!(buffer.receive_now(&socket, 3).unwrap(), 3);
        assert_eq!(buffer.receive_now(&socket, 64).unwrap(), 2);
        assert_eq!(
            buffer.receive_now(&socket, 64).unwrap_err().kind(),
            std::io::ErrorKind::WouldBlock
        );
        assert_eq!(buffer.filled(), b"later");
    });
}

#[test]
fn a_dropped_accept_and_its_listener_go() {
    with_ring(RingOptions::default(), |ring| async move {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let listener = Arc::new(OwnedFd::from(listener));
        let accept = ring.accept(&listener);
        drop(listener);
        glommio::timer::sleep(Duration::from_millis(5)).await;
        drop(accept);
        ring.idle().await;
        assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    });
}

#[test]
fn timeouts_and_refused_connections() {
    with_ring(RingOptions::default(), |ring| async move {
        ring.timeout(Duration::from_millis(2)).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connect = |ring: &Ring| {
            let socket = nix::sys::socket::socket(
                nix::sys::socket::AddressFamily::Inet,
                nix::sys::socket::SockType::Stream,
                nix::sys::socket::SockFlag::SOCK_NONBLOCK,
                None,
            );
            ring.connect(&Arc::new(socket.unwrap()), address)
        };
        connect(&ring).await.unwrap();
        drop(listener);
        assert!(connect(&ring).await.is_err());
    });
}

#[test]
fn other_threads_wake_the_shard() {
    with_ring(RingOptions::default(), |ring| async move {
        let handle = ring.wake_handle();
        let counter = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let waker = thread::Builder::new().spawn({
            let counter = Arc::clone(&counter);
            move || {
                for _ in 0..200 {
                    counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    handle.wake();
                    thread::sleep(Duration::from_micros(50));
                }
            }
        });
        poll_fn(|cx| {
            ring.on_wake(cx.waker());
            if counter.load(std::sync::atomic::Ordering::SeqCst) == 200 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        waker.unwrap().join().unwrap();
    });
}

#[test]
fn a_rescue_is_a_turn() {
    with_ring(RingOptions::default(), |ring| async move {
        let handle = ring.wake_handle();
        ring.nop().await.unwrap();
        let before = handle.turns();
        let rescuer = thread::Builder::new().spawn(move || {
            handle.rescue();
            while handle.turns() == before {
                thread::sleep(Duration::from_millis(1));
            }
            handle.wake();
        });
        let mut polled = false;
        poll_fn(|cx| {
            ring.on_wake(cx.waker());
            if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        rescuer.unwrap().join().unwrap();
    });
}

#[test]
fn a_plain_thread_waits_for_its_handle() {
    let handle = WakeHandle::for_thread().unwrap();
    assert!(!handle.wait(0_u8.into()).unwrap());
    let waker = thread::Builder::new().spawn({
        let handle = handle.clone();
        move || {
            thread::sleep(Duration::from_millis(2));
            handle.wake();
            handle.wake();
        }
    });
    assert!(handle.wait(nix::poll::PollTimeout::NONE).unwrap());
    waker.unwrap().join().unwrap();
}
