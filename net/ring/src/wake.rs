//! Waking a shard from another thread.
//!
//! `wake` writes to the eventfd that the ring's drain task reads: cheap, for those who have put something where a task of
//! that shard will look (the mesh). `rescue` wakes a task through glommio's own notifier: for the guard alone, whose
//! executor may have parked although tasks are runnable, the drain task among them.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Poll, Waker},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::{EfdFlags, EventFd},
};

/// Wakes one shard, or one plain thread, from any thread.
#[derive(Clone, Debug)]
pub struct WakeHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    eventfd: EventFd,
    /// Somebody called `wake` since the waiter last looked.
    rung: AtomicBool,
    /// Times that the driver tasks have run: what the guard compares.
    turns: AtomicU64,
    /// Operations that the kernel has not completed, as of the last turn.
    in_flight: AtomicU32,
    sentry: OnceLock<Waker>,
    sentry_ended: AtomicBool,
}

impl WakeHandle {
    /// A handle for a thread without a ring: it blocks in `wait`.
    pub fn for_thread() -> io::Result<WakeHandle> {
        let eventfd = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(WakeHandle { shared: Arc::new(Shared::new(eventfd)) })
    }

    /// For a ring: glommio's read waits for the eventfd, so it must not be one that answers EAGAIN.
    pub(crate) fn for_ring() -> io::Result<WakeHandle> {
        let eventfd = EventFd::from_flags(EfdFlags::EFD_CLOEXEC)?;
        Ok(WakeHandle { shared: Arc::new(Shared::new(eventfd)) })
    }

    /// Wakes whoever waits. Whatever was stored before the call is seen by the waiter after it.
    pub fn wake(&self) {
        if !self.shared.rung.swap(true, Ordering::SeqCst) {
            // Cannot fail: the counter would have to reach 2^64 - 1.
            let _ = self.shared.eventfd.write(1);
        }
    }

    /// Makes glommio run a task of this ring, even where its executor has parked with runnable tasks. Does nothing before
    /// the ring's tasks have run once.
    pub fn rescue(&self) {
        if let Some(waker) = self.shared.sentry.get() {
            waker.wake_by_ref();
        }
    }

    /// Counts the turns of the ring's driver tasks: an executor whose count moves is not stalled.
    pub fn turns(&self) -> u64 {
        self.shared.turns.load(Ordering::Relaxed)
    }

    /// Operations that were in flight at the ring's last turn.
    pub fn in_flight(&self) -> u32 {
        self.shared.in_flight.load(Ordering::Relaxed)
    }

    /// Whether `wake` was called since the last time somebody asked.
    pub fn take_rung(&self) -> bool {
        self.shared.rung.swap(false, Ordering::SeqCst)
    }

    /// Blocks this thread (never a shard) until `wake` is called or `timeout` has passed; whether it was woken.
    pub fn wait(&self, timeout: PollTimeout) -> io::Result<bool> {
        if self.take_rung() {
            return Ok(true);
        }
        let mut fds = [PollFd::new(self.shared.eventfd.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let rung = self.take_rung();
        if rung || fds[0].any().unwrap_or(false) {
            match self.shared.eventfd.read() {
                Ok(_) | Err(nix::errno::Errno::EAGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(rung)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

/// The eventfd, for those who wait for it otherwise (an async runtime's readiness). After it was readable, call `wait`
/// with a timeout of zero.
impl AsFd for WakeHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.eventfd.as_fd()
    }
}

impl AsRawFd for WakeHandle {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.shared.eventfd.as_fd().as_raw_fd()
    }
}

impl Shared {
    fn new(eventfd: EventFd) -> Shared {
        Shared {
            eventfd,
            rung: AtomicBool::new(false),
            turns: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            sentry: OnceLock::new(),
            sentry_ended: AtomicBool::new(false),
        }
    }

    pub(crate) fn turn(&self, in_flight: usize) {
        // One writer: a load and a store are enough, and cheaper than a locked add.
        self.turns.store(self.turns.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.in_flight.store(u32::try_from(in_flight).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// The sentry task: being polled is all it does, for that is a turn of its executor.
    pub(crate) fn poll_sentry(&self, waker: &Waker) -> Poll<()> {
        self.sentry.get_or_init(|| waker.clone());
        self.turns.store(self.turns.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if self.sentry_ended.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(crate) fn end_sentry(&self) {
        self.sentry_ended.store(true, Ordering::Relaxed);
    }

    pub(crate) fn duplicate_eventfd(&self) -> io::Result<OwnedFd> {
        self.eventfd.as_fd().try_clone_to_owned()
    }
}
