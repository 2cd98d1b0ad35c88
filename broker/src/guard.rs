//! Wakes executors that stalled.
//!
//! glommio 0.9 can go to sleep while tasks are runnable: its loop reports "nothing ran" when the preempt timer had fired before it
//! began, and then parks without a timer. A task or timer of the executor itself cannot help, since it may be the one that is lost.
//! So one plain thread guards all executors: it wakes each through its ring's eventfd, every [`BUSY`] while work is in flight and
//! every [`IDLE`] otherwise. A wake that found work in flight and no progress since the last one counts as a rescue; a slow disk
//! can look like that too, so the count is an upper bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ring::WakeHandle;

const BUSY: Duration = Duration::from_millis(5);
const IDLE: Duration = Duration::from_millis(100);

/// What an executor shows its guard. Written by the executor alone, but for `rescues`.
#[derive(Default)]
pub struct Pulse {
    /// Requests being handled, or messages unanswered.
    pub in_flight: AtomicU64,
    /// Goes up whenever something was done.
    pub progress: AtomicU64,
    rescues: AtomicU64,
}

impl Pulse {
    pub fn rescues(&self) -> u64 {
        self.rescues.load(Ordering::Relaxed)
    }

    /// Something began. Only the executor's own thread calls this, so no read-modify-write is needed.
    pub fn begin(&self) {
        self.in_flight.store(self.in_flight.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Something ended.
    pub fn end(&self) {
        self.in_flight.store(self.in_flight.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
        self.progress.store(self.progress.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// An executor under guard.
pub struct Guarded {
    pub wake: WakeHandle,
    pub pulse: Arc<Pulse>,
}

/// The guard's loop, to be run on a thread of its own, until `stop`.
#[expect(clippy::disallowed_methods, reason = "the guard is a thread whose work is to sleep")]
pub fn watch(executors: &[Guarded], stop: &AtomicBool) {
    let mut last: Vec<u64> = executors.iter().map(|_| u64::MAX).collect();
    let mut since_idle_wake = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let busy = executors.iter().any(|guarded| guarded.pulse.in_flight.load(Ordering::Relaxed) > 0);
        let pause = if busy { BUSY } else { IDLE };
        std::thread::sleep(pause);
        since_idle_wake += pause;
        let wake_all = since_idle_wake >= IDLE;
        for (guarded, last) in executors.iter().zip(&mut last) {
            let in_flight = guarded.pulse.in_flight.load(Ordering::Relaxed) > 0;
            let progress = guarded.pulse.progress.load(Ordering::Relaxed);
            if in_flight && *last == progress {
                guarded.pulse.rescues.fetch_add(1, Ordering::Relaxed);
            }
            if in_flight || wake_all {
                guarded.wake.wake();
            }
            *last = progress;
        }
        if wake_all {
            since_idle_wake = Duration::ZERO;
        }
    }
}
