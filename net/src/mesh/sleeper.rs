//! Waking only a sleeper, without losing a message.
//!
//! The receiver stores `asleep`, fences, looks at its queues again, then waits. The sender pushes, fences, reads `asleep`.
//! Of the two fences one comes first in the single order of all `SeqCst` fences: if the sender's does, the receiver's second
//! look finds the message; if the receiver's does, the sender reads `asleep`. Without either fence both may miss each other.
//!
//! The model test compiles this file against loom's atomics.

use super::atomic::{AtomicBool, Ordering, fence};

/// Whether one executor sleeps, as its senders see it.
pub(crate) struct Sleeper {
    asleep: AtomicBool,
}

impl Sleeper {
    pub(crate) fn new() -> Sleeper {
        Sleeper { asleep: AtomicBool::new(false) }
    }

    /// The receiver, whose queues were empty: after this it looks at them once more, and then waits or calls `awake`.
    pub(crate) fn falls_asleep(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The receiver looks at its queues anyway: nobody needs to wake it.
    pub(crate) fn awake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// A sender, after its push: whether the receiver must be woken. Several senders may be told so at once, for only the
    /// receiver itself writes `asleep`; its handle makes one wake of their calls.
    pub(crate) fn must_be_woken(&self) -> bool {
        fence(Ordering::SeqCst);
        self.seems_asleep()
    }

    /// What `must_be_woken` would be without its fence: the model shows that it loses messages.
    pub(crate) fn seems_asleep(&self) -> bool {
        self.asleep.load(Ordering::Relaxed)
    }
}
