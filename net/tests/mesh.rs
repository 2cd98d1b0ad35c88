//! The mesh between executors and plain threads.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::{cell::Cell, rc::Rc, thread, time::Duration};

use glommio::{LocalExecutorBuilder, Placement};
use net::mesh::{Endpoint, Port, mesh};
use ring::{Ring, RingOptions, WakeHandle};

fn executor<F: Future<Output = ()> + 'static>(
    port: Port<u64>,
    test: impl FnOnce(Rc<Endpoint<u64>>) -> F + Send + 'static,
) -> thread::JoinHandle<()> {
    let thread = thread::Builder::new().spawn(move || {
        let executor =
            LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20).make().unwrap();
        executor.run(async move {
            let ring = Ring::new(&RingOptions::default()).unwrap();
            test(Rc::new(port.attach(&ring))).await;
            ring.close().await;
        });
    });
    thread.unwrap()
}

/// Each executor sends `messages` numbers to every one, itself too, and checks that each sender's come in order.
async fn flood(endpoint: Rc<Endpoint<u64>>, messages: u64) {
    let executors = endpoint.executors();
    let received: Rc<Vec<Cell<u64>>> = Rc::new((0..executors).map(|_| Cell::new(0)).collect());
    let receiver = glommio::spawn_local({
        let (endpoint, received) = (Rc::clone(&endpoint), Rc::clone(&received));
        async move {
            while received.iter().any(|count| count.get() < messages) {
                let (from, message) = endpoint.recv().await;
                assert_eq!(message, received[from].replace(message + 1), "in order");
            }
        }
    });
    for message in 0..messages {
        for to in 0..executors {
            while endpoint.try_send(to, message).is_err() {
                glommio::timer::sleep(Duration::from_micros(50)).await;
            }
        }
        if message % 100 == 0 {
            glommio::timer::sleep(Duration::from_micros(100)).await;
        }
    }
    receiver.await;
}

#[test]
fn every_message_arrives_once_and_in_order() {
    let threads: Vec<_> = mesh(3, 16)
        .into_iter()
        .map(|port| executor(port, |endpoint| flood(endpoint, 3000)))
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn ping_pong_wakes_sleepers() {
    let mut ports = mesh(2, 4).into_iter();
    let ping = executor(ports.next().unwrap(), |endpoint| async move {
        for n in 0..2000 {
            endpoint.try_send(1, n).unwrap();
            assert_eq!(endpoint.recv().await, (1, n));
        }
        assert!(endpoint.stats().sleeps > 0);
    });
    let pong = executor(ports.next().unwrap(), |endpoint| async move {
        for _ in 0..2000 {
            let (from, n) = endpoint.recv().await;
            endpoint.try_send(from, n).unwrap();
        }
    });
    ping.join().unwrap();
    pong.join().unwrap();
}

#[test]
fn a_plain_thread_takes_part() {
    let mut ports = mesh(2, 4).into_iter();
    let shard = executor(ports.next().unwrap(), |endpoint| async move {
        for _ in 0..500 {
            let (from, n) = endpoint.recv().await;
            endpoint.try_send(from, n + 1).unwrap();
        }
    });
    let endpoint = ports.next().unwrap().attach_thread(WakeHandle::for_thread().unwrap());
    assert!(endpoint.recv_blocking(Some(Duration::from_millis(1))).unwrap().is_none());
    for n in 0..500 {
        endpoint.try_send(0, n).unwrap();
        let answer = loop {
            if let Some(answer) = endpoint.recv_blocking(None).unwrap() {
                break answer;
            }
        };
        assert_eq!(answer, (0, n + 1));
    }
    shard.join().unwrap();
}

#[test]
fn a_full_queue_gives_the_message_back() {
    let endpoint = mesh(1, 2).pop().unwrap().attach_thread(WakeHandle::for_thread().unwrap());
    assert_eq!(
        (endpoint.try_send(0, 1), endpoint.room(0), endpoint.try_send(0, 2)),
        (Ok(()), 1, Ok(()))
    );
    assert_eq!(endpoint.try_send(0, 3), Err(3));
    assert_eq!((endpoint.try_recv(), endpoint.try_send(0, 3)), (Some((0, 1)), Ok(())));
    assert_eq!(endpoint.stats().refused, 1);
}
