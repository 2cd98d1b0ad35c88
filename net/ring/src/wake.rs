//! Waking a shard from another thread.
//!
//! `wake` is for those who have put something where a task of that shard will look (the mesh): a shard that is awake looks
//! before it sleeps; one that waits in its ring is woken by a write to an eventfd that the ring polls, one that has parked by a write to
//! the eventfd that glommio reads. (With one eventfd for both, whose poll then signalled the other, parked shards were not woken. We think that the kernel
//! puts off an eventfd that is signalled from within another one's wake-up, and have not proved it.) `rescue` wakes a task through glommio's own notifier: for the guard alone, whose
//! executor may have parked although tasks are runnable, the drain task among them.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    task::{Poll, Waker},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::{EfdFlags, EventFd},
};

/// The waiter looks at `rung` before it sleeps.
const AWAKE: u8 = 0;
/// It waits in its ring.
const WAITING: u8 = 1;
/// It waits for `eventfd`: glommio, or a plain thread, which is always taken for asleep.
const PARKED: u8 = 2;

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
    /// How the waiter sleeps: one of the constants below.
    sleep: AtomicU8,
    /// What a ring polls while it waits.
    waiting: Option<EventFd>,
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
        let mut shared = Shared::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC)?);
        shared.waiting = Some(EventFd::from_flags(EfdFlags::EFD_CLOEXEC)?);
        Ok(WakeHandle { shared: Arc::new(shared) })
    }

    /// Wakes whoever waits. Whatever was stored before the call is seen by the waiter after it.
    pub fn wake(&self) {
        if self.shared.rung.swap(true, Ordering::SeqCst) {
            return;
        }
        // Neither can fail: the counter would have to reach 2^64 - 1.
        let _ = match (self.shared.sleep.load(Ordering::SeqCst), &self.shared.waiting) {
            (AWAKE, _) => return,
            (WAITING, Some(waiting)) => waiting.write(1),
            _ => self.shared.eventfd.write(1),
        };
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

    /// Whether the shard waits in its ring: then it has nothing to do, and comes back by itself after some milliseconds.
    pub fn is_waiting(&self) -> bool {
        self.shared.sleep.load(Ordering::Relaxed) == WAITING
    }

    /// Operations that were in flight at the ring's last turn.
    pub fn in_flight(&self) -> u32 {
        self.shared.in_flight.load(Ordering::Relaxed)
    }

    /// Whether `wake` was called since the last time somebody asked.
    pub fn take_rung(&self) -> bool {
        // The usual answer costs no exchange: nobody but the waiter sets it to false.
        self.shared.rung.load(Ordering::SeqCst) && self.shared.rung.swap(false, Ordering::SeqCst)
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
            sleep: AtomicU8::new(PARKED),
            waiting: None,
            turns: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            sentry: OnceLock::new(),
            sentry_ended: AtomicBool::new(false),
        }
    }

    /// The ring is about to wait: from now on `wake` writes. False, and it must not wait, if there was a call before.
    ///
    /// Either `wake` sees that we sleep, or we see `rung`: each stores the one and then loads the other, all in one order.
    pub(crate) fn waits(&self) -> bool {
        self.falls_asleep(WAITING)
    }

    /// As `waits`, for an executor that parks.
    pub(crate) fn parks(&self) -> bool {
        self.falls_asleep(PARKED)
    }

    fn falls_asleep(&self, how: u8) -> bool {
        self.sleep.store(how, Ordering::SeqCst);
        !self.rung.load(Ordering::SeqCst)
    }

    /// The ring has waited, and asks `take_rung` before it waits again.
    pub(crate) fn awake(&self) {
        self.sleep.store(AWAKE, Ordering::Relaxed);
    }

    /// What wakes a parked executor: completions signal it too.
    pub(crate) fn duplicate_eventfd(&self) -> io::Result<OwnedFd> {
        self.eventfd.as_fd().try_clone_to_owned()
    }

    pub(crate) fn signal(&self) {
        // Cannot fail: the counter would have to reach 2^64 - 1.
        let _ = self.eventfd.write(1);
    }

    /// What the ring polls.
    pub(crate) fn waiting(&self) -> &EventFd {
        self.waiting.as_ref().expect("it was made for a ring")
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
}
