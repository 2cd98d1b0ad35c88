//! One turn of a busy ring: submit, wait, reap; and how the executor comes to park, and hears of what happens then.

use std::{
    os::fd::{AsFd, AsRawFd},
    sync::atomic::{Ordering, fence},
    task::{Poll, Waker},
};

use io_uring::{
    EnterFlags, opcode,
    types::{Fd, SubmitArgs, Timespec},
};

use super::{Inner, WAKE};

/// How long a turn waits in the kernel for something to complete. After a wait in which nothing did, the executor parks.
/// Below the time after which the guard takes it for stalled.
const WAIT_MAX: Timespec = Timespec::new().nsec(4_000_000);

impl Inner {
    /// Parked: until something is pushed, or the drain task was told of something. Notifications are off afterwards.
    pub(crate) fn poll_unparked(&self, waker: &Waker) -> Poll<()> {
        let yielded = !self.yielded.borrow().is_empty();
        if !(self.closed.get() || self.pushed.get() || self.notified.get() || yielded) {
            *self.submitter.borrow_mut() = Some(waker.clone());
            return Poll::Pending;
        }
        self.wake.shared().awake();
        self.uring.borrow_mut().completion().disable_eventfd();
        Poll::Ready(())
    }

    /// Submits all that was pushed, waits for a completion if there is none, reaps: one system call. To be called when
    /// no task is runnable. Gives false if the executor should park: nothing has happened for a while.
    pub(crate) fn turn(&self) -> bool {
        self.pushed.set(false);
        self.notified.set(false);
        self.refill();
        let (rung, to_reap) = (self.tell_woken(), self.is_work_told());
        let yielded = !self.yielded.borrow().is_empty();
        let mut waited = false;
        if rung || to_reap || yielded || !self.backlog.borrow().is_empty() {
            self.enter(EnterFlags::GETEVENTS);
        } else if self.wake.shared().waits() {
            waited = true;
            self.wait();
        }
        self.wake.shared().awake();
        let reaped = self.reap();
        if waited {
            self.pace.waited(reaped);
        }
        // What the flag told of has been done; if it still stands, only a wait can tell whether there is more.
        self.stale_flag.set(!waited && reaped == 0);
        let rung = self.tell_woken() || rung;
        self.wake_yielded();
        self.wake.shared().turn(self.slots.borrow().in_flight());
        !waited || rung || reaped > 0 || !self.park()
    }

    /// Whether the kernel has completions, or says that it has work to do that may bring some.
    ///
    /// It may say so for ever: another thread of its own that adds work raises the flag (`IORING_SQ_TASKRUN`) only after the work can be seen, and by
    /// then we may have had it done and the flag lowered. Entering does not lower it again, for there is nothing to do.
    fn is_work_told(&self) -> bool {
        self.has_completions() || (self.is_taskrun() && !self.stale_flag.get())
    }

    /// From now on the kernel, and `WakeHandle::wake`, signal the drain task. False if something has happened meanwhile.
    fn park(&self) -> bool {
        self.uring.borrow_mut().completion().enable_eventfd();
        // Completions of which the kernel told nobody while notifications were off: the fence orders our enabling before
        // our look, as the kernel orders its flag before its look at ours. One of the two sees the other.
        fence(Ordering::SeqCst);
        if self.is_taskrun() {
            // It may be stale. Behind this, whatever the kernel has to do is the first, and is told.
            self.enter(EnterFlags::GETEVENTS);
        }
        let parked = self.wake.shared().parks()
            && !self.has_completions()
            && self.uring.borrow_mut().submission().is_empty();
        if !parked {
            self.wake.shared().awake();
            self.uring.borrow_mut().completion().disable_eventfd();
        }
        parked
    }

    /// Passes a `WakeHandle::wake` on to those who wait for it; whether there was one.
    pub(super) fn tell_woken(&self) -> bool {
        let rung = self.wake.take_rung();
        if rung {
            let woken = std::mem::take(&mut *self.woken.borrow_mut());
            woken.into_iter().for_each(Waker::wake);
        }
        rung
    }

    /// A turn is over: those who let it have its way go on.
    pub(super) fn wake_yielded(&self) {
        let yielded = std::mem::take(&mut *self.yielded.borrow_mut());
        yielded.into_iter().for_each(Waker::wake);
    }

    /// The kernel has completions, or somebody called `WakeHandle::wake`, while the executor was parked.
    pub(crate) fn notified(&self) {
        self.stats.borrow_mut().notifications += 1;
        self.notified.set(true);
        self.wake_submitter();
    }

    /// Polls the eventfd of `WakeHandle::wake` for ever: each write completes it once, and nobody needs to read it.
    pub(super) fn listen_to_wakes(&self) {
        let entry = opcode::PollAdd::new(
            Fd(self.wake.shared().waiting().as_fd().as_raw_fd()),
            libc::POLLIN as u32,
        )
        .multi(true)
        .build()
        .user_data(WAKE);
        // SAFETY: it points to nothing, and the kernel holds the file.
        unsafe { self.push(entry) };
        // It is not one of the operations that somebody waits for.
        self.stats.borrow_mut().submissions -= 1;
    }

    /// Submits, and waits until something has completed: for as much as `pace` says, for as long as it says.
    fn wait(&self) {
        {
            let mut stats = self.stats.borrow_mut();
            stats.enters += 1;
            stats.waits += 1;
        }
        let (want, at_least_us) = self.pace.next_wait();
        let arguments = SubmitArgs::new().timespec(&WAIT_MAX).min_wait_usec(at_least_us);
        let uring = self.uring.borrow();
        if let Err(error) = uring.submitter().submit_with_args(want, &arguments) {
            match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => {}
                _ => panic!("io_uring_enter failed: {error}"),
            }
        }
    }
}
