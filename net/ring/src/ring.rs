//! Pushing operations, entering the kernel, reaping completions.

mod turn;

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    os::fd::{AsRawFd, OwnedFd},
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use io_uring::{EnterFlags, IoUring, cqueue, opcode, squeue};

use crate::{
    completion::{Finish, OnDrop, Op},
    drive,
    pace::Pace,
    slots::{Completed, Held, Key, Outcome, Slots},
    wake::WakeHandle,
};

/// User data of a request to cancel: nobody waits for its completion.
const CANCEL: u64 = u64::MAX;
/// Descriptors that a ring can hold for as long as one of its operations may be in flight.
const HELD_FILES_MAX: u32 = 64;
/// User data of the poll that `WakeHandle::wake` completes.
const WAKE: u64 = u64::MAX - 1;

#[derive(Clone, Debug)]
pub struct RingOptions {
    /// Entries of the submission queue; the completion queue has eight times as many.
    pub entries: u32,
    /// Kernel threads for work on regular files that would block the shard.
    pub iowq_bounded_max: u32,
    /// Kernel threads for other work that would block the shard (splice).
    pub iowq_unbounded_max: u32,
}

impl Default for RingOptions {
    fn default() -> RingOptions {
        RingOptions { entries: 256, iowq_bounded_max: 8, iowq_unbounded_max: 4 }
    }
}

/// What a ring has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingStats {
    /// System calls that submitted or reaped.
    pub enters: u64,
    pub submissions: u64,
    pub completions: u64,
    /// Turns that waited in the kernel.
    pub waits: u64,
    /// Times that the executor was woken from parking.
    pub notifications: u64,
    /// Pushes that found the submission queue full, so that the kernel was entered at once.
    pub queue_full: u64,
    /// Operations whose future was dropped before they completed.
    pub abandoned: u64,
    pub in_flight: usize,
}

/// A handle to this thread's ring.
#[derive(Clone)]
pub struct Ring {
    pub(crate) inner: Rc<Inner>,
}

pub(crate) struct Inner {
    uring: RefCell<IoUring>,
    slots: RefCell<Slots>,
    /// Pushed while the submission queue was full and the kernel would not take more.
    backlog: RefCell<VecDeque<squeue::Entry>>,
    /// Who enters for all that was pushed.
    submitter: RefCell<Option<Waker>>,
    pushed: Cell<bool>,
    /// The kernel's flag for work to do stood after a turn that had it done.
    stale_flag: Cell<bool>,
    /// The drain task was told of completions, or of a wake.
    notified: Cell<bool>,
    wake: WakeHandle,
    pace: Pace,
    /// Tasks that wait for `WakeHandle::wake`.
    woken: RefCell<Vec<Waker>>,
    /// Tasks that wait for the end of the next turn.
    yielded: RefCell<Vec<Waker>>,
    idle: RefCell<Vec<Waker>>,
    held_files: RefCell<Vec<bool>>,
    closed: Cell<bool>,
    /// Driver tasks that hold the ring.
    drivers: Cell<u8>,
    stats: RefCell<RingStats>,
}

impl Ring {
    /// Makes the ring of this thread and spawns its driver tasks on this thread's glommio executor. Blocks for some seconds
    /// where there is no memory for it, for that may still be held by a process that was just killed.
    pub fn new(options: &RingOptions) -> io::Result<Ring> {
        let uring = build(options)?;
        let wake = WakeHandle::for_ring()?;
        let submitter = uring.submitter();
        submitter.register_eventfd(wake.as_raw_fd())?;
        submitter.register_iowq_max_workers(&mut [
            options.iowq_bounded_max,
            options.iowq_unbounded_max,
        ])?;
        submitter.register_files_sparse(HELD_FILES_MAX)?;
        let pace = Pace::new(uring.params().is_feature_min_timeout());
        let inner = Rc::new(Inner {
            uring: RefCell::new(uring),
            slots: RefCell::new(Slots::new()),
            backlog: RefCell::new(VecDeque::new()),
            submitter: RefCell::new(None),
            pushed: Cell::new(false),
            stale_flag: Cell::new(false),
            notified: Cell::new(false),
            wake,
            pace,
            woken: RefCell::new(Vec::new()),
            yielded: RefCell::new(Vec::new()),
            idle: RefCell::new(Vec::new()),
            held_files: RefCell::new(vec![false; HELD_FILES_MAX as usize]),
            closed: Cell::new(false),
            drivers: Cell::new(0),
            stats: RefCell::new(RingStats::default()),
        });
        inner.listen_to_wakes();
        drive::spawn(&inner)?;
        Ok(Ring { inner })
    }

    pub fn stats(&self) -> RingStats {
        RingStats { in_flight: self.inner.slots.borrow().in_flight(), ..*self.inner.stats.borrow() }
    }

    /// Wakes this shard from any thread.
    pub fn wake_handle(&self) -> WakeHandle {
        self.inner.wake.clone()
    }

    /// Wakes `waker` once, after the next `WakeHandle::wake`, or when the ring is closed. Look for what you wait for after this call, not before.
    pub fn on_wake(&self, waker: &Waker) {
        let mut woken = self.inner.woken.borrow_mut();
        if !woken.iter().any(|known| known.will_wake(waker)) {
            woken.push(waker.clone());
        }
    }

    /// Gives `file` to the kernel's side of the ring, and closes it here: from now on the open file description lives
    /// until the last operation of this ring has completed, even after `kill -9`. So a lock on it is free only when no
    /// write of this process can still land. Gives the slot for `release_file`.
    pub fn hold_file(&self, file: OwnedFd) -> io::Result<HeldFile> {
        let mut held = self.inner.held_files.borrow_mut();
        let Some(slot) = held.iter().position(|held| !held) else {
            return Err(io::Error::other("the ring holds as many files as it can"));
        };
        let index = u32::try_from(slot).expect("a slot is below HELD_FILES_MAX");
        self.inner.uring.borrow().submitter().register_files_update(index, &[file.as_raw_fd()])?;
        held[slot] = true;
        Ok(HeldFile(index))
    }

    /// Lets go of a held file, once nothing that it guards is in flight.
    pub fn release_file(&self, file: HeldFile) -> io::Result<()> {
        self.inner.uring.borrow().submitter().register_files_update(file.0, &[-1])?;
        self.inner.held_files.borrow_mut()[file.0 as usize] = false;
        Ok(())
    }

    pub fn is_closed(&self) -> bool {
        self.inner.closed.get()
    }

    /// Lets every other task that is runnable run, and the ring take a turn. For tasks that have much to do: one that
    /// wakes itself instead keeps the executor from ever coming to the ring.
    pub async fn yield_now(&self) {
        let mut yielded = false;
        std::future::poll_fn(|cx| {
            if std::mem::replace(&mut yielded, true) || self.is_closed() {
                return Poll::Ready(());
            }
            self.inner.yielded.borrow_mut().push(cx.waker().clone());
            self.inner.wake_submitter();
            Poll::Pending
        })
        .await;
    }

    /// Resolves when nothing is in flight.
    pub async fn idle(&self) {
        std::future::poll_fn(|cx| self.inner.poll_idle(cx.waker())).await;
    }

    /// Waits for what is in flight, then ends the driver tasks, and wakes those who asked for it by `on_wake`. Nothing may be
    /// pushed afterwards.
    pub async fn close(self) {
        self.idle().await;
        self.inner.closed.set(true);
        // Nothing is in flight that a held file guards. It fails only where no file was ever held.
        let _ = self.inner.uring.borrow().submitter().unregister_files();
        self.inner.wake_submitter();
        self.inner.wake.shared().end_sentry();
        self.inner.wake.rescue();
        self.inner.tell_woken();
        self.inner.wake_yielded();
        // The drain task reads once more, and ends.
        self.inner.wake.shared().signal();
        std::future::poll_fn(|cx| self.inner.poll_ended(cx.waker())).await;
    }

    /// # Safety
    /// Every address in `entry` must point into what `held` owns, and stay valid until the operation completes, however
    /// `held` is moved meanwhile; its descriptor must be one that `held` owns.
    pub(crate) unsafe fn push<T>(
        &self,
        entry: squeue::Entry,
        held: Held,
        finish: Finish<T>,
        on_drop: OnDrop,
    ) -> Op<T> {
        let key = self.inner.slots.borrow_mut().insert(held);
        if self.inner.closed.get() {
            // A task that outlives the ring: the kernel never hears of this.
            let cancelled = self.inner.slots.borrow_mut().complete(key, -libc::ECANCELED);
            debug_assert!(matches!(cancelled, Completed::Nothing), "nobody waits for it yet");
            return Op::new(Rc::clone(&self.inner), key, finish, on_drop);
        }
        // SAFETY: the slot owns what the entry points to until its completion is reaped; our caller says that this is all.
        unsafe { self.inner.push(entry.user_data(key.user_data())) };
        Op::new(Rc::clone(&self.inner), key, finish, on_drop)
    }
}

/// The rings of a killed process count against the limit of locked memory until the kernel has taken them down.
#[expect(clippy::disallowed_methods, reason = "a shard that starts: nothing runs on it yet")]
fn build(options: &RingOptions) -> io::Result<IoUring> {
    let mut pauses = 100;
    loop {
        let built = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_cqsize(options.entries.saturating_mul(8))
            .build(options.entries);
        match built {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && pauses > 0 => {
                pauses -= 1;
                std::thread::sleep(Duration::from_millis(50));
            }
            built => return built,
        }
    }
}

/// A file that `Ring::hold_file` took.
#[derive(Debug)]
pub struct HeldFile(u32);

impl Inner {
    /// # Safety
    /// What `entry` points to must be valid until its completion.
    unsafe fn push(&self, entry: squeue::Entry) {
        assert!(!self.closed.get(), "nothing is pushed to a closed ring");
        self.stats.borrow_mut().submissions += 1;
        // SAFETY: as our caller says.
        if let Err(entry) = unsafe { self.push_to_queue(entry) } {
            self.stats.borrow_mut().queue_full += 1;
            self.submit_now();
            // SAFETY: as our caller says.
            if let Err(entry) = unsafe { self.push_to_queue(entry) } {
                self.backlog.borrow_mut().push_back(entry);
            }
        }
        if !self.pushed.replace(true) {
            self.wake_submitter();
        }
    }

    /// # Safety
    /// As for `push`.
    unsafe fn push_to_queue(&self, entry: squeue::Entry) -> Result<(), squeue::Entry> {
        if !self.backlog.borrow().is_empty() {
            return Err(entry);
        }
        let mut uring = self.uring.borrow_mut();
        // SAFETY: as our caller says.
        unsafe { uring.submission().push(&entry) }.map_err(|_| entry)
    }

    fn wake_submitter(&self) {
        let waker = self.submitter.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    pub(crate) fn wake(&self) -> &WakeHandle {
        &self.wake
    }

    /// The submission queue is full: hand it to the kernel without reaping, for a task is in the middle of something.
    fn submit_now(&self) {
        self.enter(EnterFlags::empty());
        self.refill();
    }

    /// Moves the backlog into the submission queue, as far as it has room.
    fn refill(&self) {
        let mut backlog = self.backlog.borrow_mut();
        if backlog.is_empty() {
            return;
        }
        let mut uring = self.uring.borrow_mut();
        let mut queue = uring.submission();
        while let Some(entry) = backlog.front() {
            // SAFETY: the entry came through `push`, whose caller promised that it is valid until its completion.
            if unsafe { queue.push(entry) }.is_err() {
                return;
            }
            backlog.pop_front();
        }
    }

    /// Whether the kernel took what it was given. It does not while it has no memory, or completions to get rid of first.
    fn enter(&self, flags: EnterFlags) -> bool {
        self.stats.borrow_mut().enters += 1;
        let mut uring = self.uring.borrow_mut();
        let to_submit =
            u32::try_from(uring.submission().len()).expect("the submission queue is small");
        loop {
            // SAFETY: without an argument, entering has no precondition beyond that of each entry, which `push` states.
            let entered = unsafe {
                uring.submitter().enter::<libc::sigset_t>(to_submit, 0, flags.bits(), None)
            };
            match entered {
                Ok(_) => return true,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    Some(libc::EBUSY | libc::EAGAIN) => return false,
                    _ => panic!("io_uring_enter failed: {error}"),
                },
            }
        }
    }

    fn has_completions(&self) -> bool {
        let mut uring = self.uring.borrow_mut();
        !uring.completion().is_empty() || uring.submission().cq_overflow()
    }

    /// Whether the kernel says that it has work to do on this thread.
    fn is_taskrun(&self) -> bool {
        self.uring.borrow_mut().submission().taskrun()
    }

    fn reap(&self) -> u64 {
        let mut reaped = 0;
        loop {
            let Some(entry) = self.uring.borrow_mut().completion().next() else { break };
            match entry.user_data() {
                CANCEL => {
                    reaped += 1;
                    continue;
                }
                WAKE if cqueue::more(entry.flags()) || self.closed.get() => continue,
                WAKE => {
                    self.listen_to_wakes();
                    continue;
                }
                _ => {}
            }
            reaped += 1;
            let completed = self
                .slots
                .borrow_mut()
                .complete(Key::from_user_data(entry.user_data()), entry.result());
            // Outside the borrow: a waker and what an operation held may run anything when they are used or dropped.
            match completed {
                Completed::Wake(waker) => waker.wake(),
                Completed::Drop(unwanted) => drop(unwanted),
                Completed::Nothing => {}
            }
        }
        if reaped > 0 {
            self.stats.borrow_mut().completions += reaped;
            if self.slots.borrow().in_flight() == 0 {
                let idle = std::mem::take(&mut *self.idle.borrow_mut());
                idle.into_iter().for_each(Waker::wake);
            }
        }
        reaped
    }

    pub(crate) fn poll(&self, key: Key, waker: &Waker) -> Option<(Outcome, Held)> {
        self.slots.borrow_mut().poll(key, waker)
    }

    pub(crate) fn abandon(&self, key: Key, on_drop: OnDrop) {
        let abandoned = self.slots.borrow_mut().abandon(key);
        if abandoned.is_ok() {
            return;
        }
        self.stats.borrow_mut().abandoned += 1;
        if on_drop == OnDrop::Cancel && !self.closed.get() {
            let entry = opcode::AsyncCancel::new(key.user_data()).build().user_data(CANCEL);
            // SAFETY: a request to cancel points to nothing.
            unsafe { self.push(entry) };
        }
    }

    pub(crate) fn driver_begins(&self) {
        self.drivers.set(self.drivers.get() + 1);
    }

    pub(crate) fn driver_ends(&self) {
        self.drivers.set(self.drivers.get() - 1);
        let idle = std::mem::take(&mut *self.idle.borrow_mut());
        idle.into_iter().for_each(Waker::wake);
    }

    fn poll_ended(&self, waker: &Waker) -> Poll<()> {
        if self.drivers.get() == 0 {
            return Poll::Ready(());
        }
        self.idle.borrow_mut().push(waker.clone());
        Poll::Pending
    }

    fn poll_idle(&self, waker: &Waker) -> Poll<()> {
        if self.slots.borrow().in_flight() == 0 {
            return Poll::Ready(());
        }
        self.idle.borrow_mut().push(waker.clone());
        Poll::Pending
    }
}

impl Drop for Inner {
    /// An executor that ends with operations in flight leaves their memory to the kernel.
    fn drop(&mut self) {
        let slots = std::mem::replace(&mut *self.slots.borrow_mut(), Slots::new());
        if slots.in_flight() > 0 {
            tracing::warn!(
                in_flight = slots.in_flight(),
                "a ring was dropped with operations in flight: their memory is leaked"
            );
            std::mem::forget(slots);
        }
    }
}
