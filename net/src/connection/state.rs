//! What is known of a connection from outside its task: by the sweep, the budget, and a listener that drains.

use std::{
    cell::{Cell, RefCell},
    os::fd::{AsRawFd, OwnedFd},
    rc::Rc,
    sync::Arc,
    task::Waker,
    time::{Duration, Instant},
};

use super::{CloseReason, Limits, Peer, RATE_FLOOR, answers::Answers};
use crate::{
    budget::{Partial, STALL},
    shared::{Net, clock},
};

/// How long a frame may take beside what its length allows for.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) struct State {
    pub(crate) net: Rc<Net>,
    pub(crate) socket: Arc<OwnedFd>,
    pub(crate) peer: Rc<Peer>,
    pub(crate) limits: Rc<Limits>,
    /// Whose connection it is.
    pub(crate) listener: Rc<()>,
    /// Its place in the list of connections.
    pub(crate) place: Cell<usize>,
    pub(crate) answers: RefCell<Answers>,
    /// The reader waits for the peer, or for memory, between two requests.
    pub(crate) between_requests: Cell<bool>,
    /// The reader waits until answers have left, with a request of so many bytes.
    pub(crate) wants_room: Cell<Option<usize>>,
    pub(crate) sending: Sending,
    pub(crate) frame: Progress,
    active: Cell<Instant>,
    draining: Cell<Option<Instant>>,
    closing: Cell<Option<CloseReason>>,
    waker: RefCell<Option<Waker>>,
}

impl State {
    pub(crate) fn new(
        net: &Rc<Net>,
        socket: Arc<OwnedFd>,
        peer: Peer,
        limits: &Rc<Limits>,
        listener: &Rc<()>,
    ) -> State {
        State {
            net: Rc::clone(net),
            socket,
            peer: Rc::new(peer),
            limits: Rc::clone(limits),
            listener: Rc::clone(listener),
            place: Cell::new(0),
            answers: RefCell::default(),
            between_requests: Cell::new(true),
            wants_room: Cell::new(None),
            sending: Sending::default(),
            frame: Progress::default(),
            active: Cell::new(clock()),
            draining: Cell::new(None),
            closing: Cell::new(None),
            waker: RefCell::new(None),
        }
    }

    pub(crate) fn remember(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// So that the task and its waker do not keep each other.
    pub(crate) fn forget_waker(&self) {
        self.waker.borrow_mut().take();
    }

    pub(crate) fn closing(&self) -> Option<CloseReason> {
        self.closing.get()
    }

    /// Ends the connection: its task goes at its next turn. What the kernel is sending ends with an error.
    pub(crate) fn close(&self, reason: CloseReason) {
        if self.closing.get().is_none() {
            self.closing.set(Some(reason));
            self.shut();
            self.wake();
        }
    }

    /// Ends both directions. An error means that the peer has done so.
    pub(crate) fn shut(&self) {
        let _ =
            nix::sys::socket::shutdown(self.socket.as_raw_fd(), nix::sys::socket::Shutdown::Both);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get().is_some()
    }

    /// Reads no further request, and closes when all answers have left, or at `deadline`.
    pub(crate) fn drain(&self, deadline: Instant) {
        self.draining
            .set(Some(self.draining.get().map_or(deadline, |earlier| earlier.min(deadline))));
        self.wake();
    }

    /// Whether one more request, of so many bytes, may be in flight.
    pub(crate) fn has_room_for(&self, bytes: usize) -> bool {
        self.answers.borrow().has_room_for(bytes, &self.limits)
    }

    /// Something has arrived or left.
    pub(crate) fn touch(&self, now: Instant) {
        self.active.set(now);
    }

    /// The sweep: closes what waits too long. `pressed`: others wait for memory. Gives whether a deadline of the peer's runs.
    pub(crate) fn check(&self, now: Instant, pressed: bool) -> bool {
        if self.sending.is_too_slow(now, self.limits.send_timeout) {
            self.close(CloseReason::SlowReader);
        } else if self.draining.get().is_some_and(|deadline| now >= deadline) {
            self.close(CloseReason::Shutdown);
        } else if (pressed || self.frame.is_large.get()) && self.frame.is_below_floor(now)
            || pressed && self.frame.stalled(now) > STALL
        {
            self.close(CloseReason::SlowSender);
        } else if now.saturating_duration_since(self.active.get()) > self.limits.idle_timeout
            && self.answers.borrow().is_empty()
            && self.between_requests.get()
        {
            self.close(CloseReason::Idle);
        }
        self.sending.is_running() || self.frame.is_running() || self.is_draining()
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}

impl Partial for State {
    fn held(&self) -> usize {
        self.frame.held.get()
    }

    fn missing(&self) -> usize {
        self.frame.length.get().saturating_sub(self.frame.bytes.get())
    }

    fn stalled(&self) -> Duration {
        self.frame.stalled(clock())
    }

    fn evict(&self) {
        self.close(CloseReason::SlowSender);
    }
}

/// How the answers that are leaving get on.
#[derive(Default)]
pub(crate) struct Sending {
    /// By when they must have left, if any are leaving.
    deadline: Cell<Option<Instant>>,
    /// Bytes that the kernel has taken, of this connection's answers.
    pub(crate) taken: Rc<Cell<u64>>,
    /// What the sweep saw of that, and since when it is so.
    seen: Cell<Option<(u64, Instant)>>,
}

impl Sending {
    /// So many bytes begin to leave: all at the floor of the rate, and none may take longer than `timeout` to be taken.
    pub(crate) fn begin(&self, now: Instant, timeout: Duration, bytes: u64) {
        self.deadline.set(Some(now + timeout + time_for(bytes)));
        self.seen.set(None);
    }

    pub(crate) fn end(&self) {
        self.deadline.set(None);
    }

    fn is_running(&self) -> bool {
        self.deadline.get().is_some()
    }

    fn is_too_slow(&self, now: Instant, timeout: Duration) -> bool {
        let Some(deadline) = self.deadline.get() else { return false };
        let taken = self.taken.get();
        match self.seen.get() {
            Some((seen, since)) if seen == taken => now >= deadline || now > since + timeout,
            _ => {
                self.seen.set(Some((taken, now)));
                now >= deadline
            }
        }
    }
}

/// How a frame that has begun and is not complete gets on.
#[derive(Default)]
pub(crate) struct Progress {
    began: Cell<Option<Instant>>,
    /// When it last got on, or we last kept it waiting.
    last: Cell<Option<Instant>>,
    pub(crate) is_large: Cell<bool>,
    /// Bytes that have arrived, of how many, and memory that a large frame has for them.
    pub(crate) bytes: Cell<usize>,
    pub(crate) length: Cell<usize>,
    pub(crate) held: Cell<usize>,
    /// Time during which the frame waited for us.
    paused: Cell<Duration>,
    paused_at: Cell<Option<Instant>>,
}

impl Progress {
    /// So many bytes of the frame are there.
    pub(crate) fn arrived(&self, now: Instant, bytes: usize) {
        if self.began.get().is_none() {
            self.began.set(Some(now));
        }
        self.last.set(Some(now));
        self.bytes.set(bytes);
    }

    pub(crate) fn end(&self) {
        if self.began.get().is_some() {
            self.began.set(None);
            self.last.set(None);
            self.is_large.set(false);
            self.bytes.set(0);
            self.held.set(0);
            self.paused.set(Duration::ZERO);
            self.paused_at.set(None);
        }
    }

    pub(crate) fn pause(&self, now: Instant) {
        self.paused_at.set(Some(now));
    }

    pub(crate) fn resume(&self, now: Instant) {
        if let Some(at) = self.paused_at.take() {
            self.paused.set(self.paused.get() + now.saturating_duration_since(at));
            self.last.set(Some(now));
        }
    }

    fn is_running(&self) -> bool {
        self.began.get().is_some()
    }

    fn elapsed(&self, now: Instant) -> Duration {
        let Some(began) = self.began.get() else { return Duration::ZERO };
        let until = self.paused_at.get().unwrap_or(now);
        until.saturating_duration_since(began).saturating_sub(self.paused.get())
    }

    /// For how long nothing has arrived although nothing but the peer was waited for.
    fn stalled(&self, now: Instant) -> Duration {
        match self.last.get() {
            Some(last) if self.paused_at.get().is_none() => now.saturating_duration_since(last),
            _ => Duration::ZERO,
        }
    }

    fn is_below_floor(&self, now: Instant) -> bool {
        self.elapsed(now) > GRACE + time_for(self.bytes.get() as u64)
    }
}

/// What `bytes` take at the floor of the rate.
fn time_for(bytes: u64) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1000) / RATE_FLOOR)
}
