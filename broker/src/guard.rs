//! Wakes executors that stalled.
//!
//! glommio 0.9 can go to sleep while tasks are runnable: its loop reports "nothing ran" when the preempt timer had fired before it
//! began, and then parks without a timer. A task or timer of the executor itself cannot help, since it may be the one that is lost.
//! So one plain thread guards all executors: it wakes each, every [`BUSY`] while requests are in flight and every [`IDLE`] otherwise.
//! A wake that found requests in flight and an executor that had not turned since the last one counts as a rescue, unless the executor
//! waits in its ring for what is in flight. One that is not given its core can look stalled too, so the count is an upper bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ring::WakeHandle;

const BUSY: Duration = Duration::from_millis(5);
const IDLE: Duration = Duration::from_millis(100);

/// What an executor and its guard show each other.
#[derive(Default)]
pub struct Pulse {
    in_flight: AtomicU64,
    rescues: AtomicU64,
}

impl Pulse {
    pub fn rescues(&self) -> u64 {
        self.rescues.load(Ordering::Relaxed)
    }

    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// A request is in flight until what is returned is dropped. Only the executor's own thread calls this.
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.store(self.in_flight() + 1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }
}

/// A request in flight.
pub struct InFlight(Arc<Pulse>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.store(self.0.in_flight() - 1, Ordering::Relaxed);
    }
}

/// An executor under guard.
pub(crate) struct Guarded {
    pub wake: WakeHandle,
    pub pulse: Arc<Pulse>,
}

/// The guard's loop, to be run on a thread of its own, until `stop`.
#[expect(clippy::disallowed_methods, reason = "the guard is a thread whose work is to sleep")]
pub(crate) fn watch(executors: &[Guarded], stop: &AtomicBool) {
    let mut turns: Vec<u64> = executors.iter().map(|_| u64::MAX).collect();
    let mut slept = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let busy = executors.iter().any(|guarded| guarded.pulse.in_flight() > 0);
        let pause = if busy { BUSY } else { IDLE };
        std::thread::sleep(pause);
        slept += pause;
        let all = slept >= IDLE;
        for (guarded, last) in executors.iter().zip(&mut turns) {
            let in_flight = guarded.pulse.in_flight() > 0;
            let now = guarded.wake.turns();
            if in_flight && *last == now && !guarded.wake.is_waiting() {
                guarded.pulse.rescues.fetch_add(1, Ordering::Relaxed);
            }
            if in_flight || all {
                guarded.wake.rescue();
            }
            *last = now;
        }
        if all {
            slept = Duration::ZERO;
        }
    }
}
