//! Model of how a sleeper is woken: loom runs every order of the threads that the memory model allows.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use loom::{
    sync::{
        Arc, Notify,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use sleeper::Sleeper;

#[path = "../src/mesh/sleeper.rs"]
mod sleeper;

mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering, fence};
}

/// A queue per sender and the receiver's door: a push is a store with release, a pop a load with acquire, as in the real
/// queue.
struct Door {
    tails: [AtomicUsize; 2],
    sleeper: Sleeper,
    bell: Notify,
}

fn send(door: &Door, sender: usize, message: usize, must_wake: impl Fn(&Sleeper) -> bool) {
    door.tails[sender].store(message, Ordering::Release);
    if must_wake(&door.sleeper) {
        door.bell.notify();
    }
}

/// Receives until each sender has sent its `messages`; a lost wake is a deadlock, which loom reports.
fn receive(door: &Door, messages: [usize; 2]) {
    let all =
        || (0..2).all(|sender| door.tails[sender].load(Ordering::Acquire) == messages[sender]);
    loop {
        door.sleeper.awake();
        if all() {
            return;
        }
        door.sleeper.falls_asleep();
        if all() {
            return;
        }
        door.bell.wait();
    }
}

fn run(messages: [usize; 2], must_wake: impl Fn(&Sleeper) -> bool + Copy + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    // Enough for both to be interrupted at their worst moments; without a bound two senders take minutes.
    model.preemption_bound = Some(3);
    model.check(move || {
        let door = Arc::new(Door {
            tails: [AtomicUsize::new(0), AtomicUsize::new(0)],
            sleeper: Sleeper::new(),
            bell: Notify::new(),
        });
        let senders: Vec<_> = (0..2)
            .filter(|sender| messages[*sender] > 0)
            .map(|sender| {
                let door = Arc::clone(&door);
                thread::spawn(move || {
                    (1..=messages[sender])
                        .for_each(|message| send(&door, sender, message, must_wake));
                })
            })
            .collect();
        receive(&door, messages);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
}

#[test]
fn no_message_is_left_to_a_sleeper() {
    run([2, 0], Sleeper::must_be_woken);
}

#[test]
fn nor_with_two_senders() {
    run([1, 1], Sleeper::must_be_woken);
}

#[test]
#[should_panic(expected = "deadlock")]
fn the_model_finds_a_sender_that_does_not_fence() {
    run([1, 0], Sleeper::seems_asleep);
}
