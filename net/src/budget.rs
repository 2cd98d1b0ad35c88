//! The memory that a shard gives to requests that are arriving, and to those that have arrived and are still held.
//!
//! - Memory is charged as bytes arrive, never by what was announced.
//! - Frames above `SMALL_FRAME_MAX` get at most three quarters, so that a quarter is left for the others whatever they do. A quarter of
//!   that quarter is for peers that send no records: what waits for room on a slow disk holds up neither groups nor metadata.
//! - They take turns: only the holder of the turn receives. Next is who has least to come, the more so the longer it waits. A
//!   holder that has nothing to receive loses its turn, the sooner the more others wait, and keeps its memory.
//! - When the holder finds no memory, those that have stalled are closed, then those that have more to come than itself; if
//!   it has most, it gives the turn away. So the frame that has least to come always gets through, and frames that are
//!   announced or begun and not sent hold nobody up for long.
//! - A charge may be dropped on any thread (a frame's bytes travel to other shards); everything else happens on the shard.

use std::{
    cell::{Cell, RefCell},
    cmp::Reverse,
    collections::VecDeque,
    future::poll_fn,
    rc::{Rc, Weak},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use futures::future::{Either, select};
use ring::{Ring, WakeHandle};

use crate::shared::clock;

/// Frames up to here never wait for a turn: requests of a MiB of records, and what is around them.
pub const SMALL_FRAME_MAX: usize = (1 << 20) + (4 << 10);
/// How long a lonely large frame may pause before another has its turn, and the shortest pause that costs it the turn.
const PAUSE_MAX: Duration = Duration::from_millis(100);
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// Waiting so long halves what a frame that waits for its turn seems to have to come.
const AGING: Duration = Duration::from_millis(250);
/// How long a frame may pause before it is the first to be closed when memory is wanted.
pub const STALL: Duration = Duration::from_secs(1);
/// After closing others for their memory, how long until more are closed.
const EVICTION: Duration = Duration::from_millis(50);

/// Whose memory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Of a peer that sends no records: may have everything.
    Small,
    /// Of a peer that does.
    Records,
    /// A frame above [`SMALL_FRAME_MAX`], whosever.
    Large,
}

/// A shard's budget.
#[derive(Clone)]
pub struct Budget {
    inner: Rc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    waiting: [RefCell<VecDeque<Rc<Waiter>>>; 3],
    turn_held: Cell<bool>,
    turns: RefCell<Vec<Rc<Waiter>>>,
    partial: RefCell<Vec<Rc<dyn Partial>>>,
}

struct Shared {
    total: usize,
    /// What all but [`Class::Small`] may use of it.
    records_max: usize,
    large_max: usize,
    used: AtomicUsize,
    used_large: AtomicUsize,
    /// Somebody waits for memory: whoever gives some back wakes the shard.
    waited_for: AtomicBool,
    wake: WakeHandle,
}

/// A large frame that is arriving, as the budget sees it.
pub trait Partial {
    /// Bytes that it holds.
    fn held(&self) -> usize;
    /// Bytes of it that have not arrived.
    fn missing(&self) -> usize;
    /// For how long nothing of it has arrived; nothing if it waits for us.
    fn stalled(&self) -> Duration;
    /// Closes its connection, which gives the memory back.
    fn evict(&self);
}

#[derive(Default)]
struct Waiter {
    /// Memory that it waits for, or what is to come of the frame that waits for its turn.
    bytes: usize,
    since: Option<Instant>,
    /// What was given, until its asker takes it: whatever is not taken goes back with the waiter.
    charge: Cell<Option<Charge>>,
    turn: Cell<Option<Turn>>,
    ready: Cell<bool>,
    gone: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Budget {
    /// `bytes` for the shard, or so much more that a frame of `frame_bytes_max` fits into what large frames may have.
    pub fn new(ring: &Ring, bytes: usize, frame_bytes_max: usize) -> Budget {
        let reserve = bytes / 4;
        // A frame's last growth leaves room for its length and for what the allocator rounds up to.
        let large_max = (bytes - reserve).max(frame_bytes_max + (64 << 10));
        let shared = Shared {
            total: large_max + reserve,
            records_max: large_max + reserve - reserve / 4,
            large_max,
            used: AtomicUsize::new(0),
            used_large: AtomicUsize::new(0),
            waited_for: AtomicBool::new(false),
            wake: ring.wake_handle(),
        };
        let inner = Rc::new(Inner {
            shared: Arc::new(shared),
            waiting: Default::default(),
            turn_held: Cell::new(false),
            turns: RefCell::default(),
            partial: RefCell::default(),
        });
        glommio::spawn_local(keep(Rc::downgrade(&inner), ring.clone())).detach();
        Budget { inner }
    }

    pub fn total(&self) -> usize {
        self.inner.shared.total
    }

    pub fn used(&self) -> usize {
        self.inner.shared.used.load(Ordering::Relaxed)
    }

    /// Whether a request waits for memory: then those that arrive too slowly are in the way.
    pub fn is_pressed(&self) -> bool {
        self.inner
            .waiting
            .iter()
            .any(|queue| queue.borrow().iter().any(|waiter| !waiter.gone.get()))
    }

    /// Memory at once, unless others wait for it already.
    pub fn try_take(&self, class: Class, bytes: usize) -> Option<Charge> {
        if !self.inner.waiting[class as usize].borrow().is_empty() {
            return None;
        }
        self.inner.try_charge(class, bytes)
    }

    /// Memory, in the order of asking.
    pub async fn take(&self, class: Class, bytes: usize) -> Charge {
        if let Some(charge) = self.try_take(class, bytes) {
            return charge;
        }
        let waiter = Rc::new(Waiter { bytes, ..Waiter::default() });
        self.inner.waiting[class as usize].borrow_mut().push_back(Rc::clone(&waiter));
        self.inner.shared.waited_for.store(true, Ordering::SeqCst);
        // What was given back before `waited_for` could be seen woke nobody.
        self.inner.grant();
        let waiting = Waiting { waiter: &waiter };
        poll_fn(|cx| waiting.poll(cx)).await;
        waiter.charge.take().expect("a waiter is ready when it has its charge")
    }

    /// More memory for a large frame that has the turn, at the cost of others; `None` if it should give the turn away.
    pub async fn take_large(
        &self,
        bytes: usize,
        own: &Rc<dyn Partial>,
        turn: &Turn,
    ) -> Option<Charge> {
        loop {
            if let Some(charge) = self.try_take(Class::Large, bytes) {
                return Some(charge);
            }
            if self.inner.evict(bytes, own) < bytes && turn.is_wanted() {
                return None;
            }
            // What the closed ones hold comes back when their tasks have run; what complete frames hold, with their answers.
            let (taken, waited) = (self.take(Class::Large, bytes), glommio::timer::sleep(EVICTION));
            futures::pin_mut!(taken, waited);
            if let Either::Left((charge, _)) = select(taken, waited).await {
                return Some(charge);
            }
        }
    }

    /// The right to receive a large frame of which `missing` bytes are to come.
    pub async fn turn(&self, missing: usize, now: Instant) -> Turn {
        if !self.inner.turn_held.replace(true) {
            return Turn { inner: Rc::clone(&self.inner) };
        }
        let waiter = Rc::new(Waiter { bytes: missing, since: Some(now), ..Waiter::default() });
        self.inner.turns.borrow_mut().push(Rc::clone(&waiter));
        let waiting = Waiting { waiter: &waiter };
        poll_fn(|cx| waiting.poll(cx)).await;
        waiter.turn.take().expect("a waiter is ready when it has its turn")
    }

    /// Makes a large frame known while it is arriving.
    pub fn enter(&self, partial: Rc<dyn Partial>) -> Entered {
        self.inner.partial.borrow_mut().push(Rc::clone(&partial));
        Entered { inner: Rc::clone(&self.inner), partial }
    }
}

impl Inner {
    fn try_charge(&self, class: Class, bytes: usize) -> Option<Charge> {
        let shared = &self.shared;
        // Only this thread adds, so that what is looked at here can only become less.
        let used = shared.used.load(Ordering::Acquire);
        let used_large = shared.used_large.load(Ordering::Acquire);
        // Somebody who asks for more than all gets it when nobody has anything: nothing waits for ever.
        let max = if class == Class::Small { shared.total } else { shared.records_max };
        if used > 0 && used + bytes > max {
            return None;
        }
        if class == Class::Large {
            if used_large > 0 && used_large + bytes > shared.large_max {
                return None;
            }
            shared.used_large.fetch_add(bytes, Ordering::AcqRel);
        }
        shared.used.fetch_add(bytes, Ordering::AcqRel);
        Some(Charge { shared: Arc::clone(shared), class, bytes })
    }

    /// Gives memory to those who wait, in order, as far as it goes.
    fn grant(&self) {
        for class in [Class::Small, Class::Records, Class::Large] {
            let mut queue = self.waiting[class as usize].borrow_mut();
            while let Some(waiter) = queue.front() {
                if !waiter.gone.get() {
                    let Some(charge) = self.try_charge(class, waiter.bytes) else { break };
                    waiter.charge.set(Some(charge));
                    waiter.wake();
                }
                queue.pop_front();
            }
        }
        if self.waiting.iter().all(|queue| queue.borrow().is_empty()) {
            self.shared.waited_for.store(false, Ordering::SeqCst);
        }
    }

    /// Closes others until `bytes` will come back, if it may; gives how many will.
    fn evict(&self, bytes: usize, own: &Rc<dyn Partial>) -> usize {
        let mut others: Vec<_> =
            self.partial.borrow().iter().filter(|other| !Rc::ptr_eq(other, own)).cloned().collect();
        // Those that have stalled, for longest first; then those that have most to come.
        others.sort_by_cached_key(|other| {
            let stalled = other.stalled();
            Reverse((if stalled > STALL { stalled } else { Duration::ZERO }, other.missing()))
        });
        let mut freed = 0;
        for other in others {
            if freed >= bytes || (other.stalled() <= STALL && other.missing() < own.missing()) {
                break;
            }
            if other.held() > 0 {
                freed += other.held();
                other.evict();
            }
        }
        freed
    }

    fn pass_turn(self: &Rc<Inner>) {
        let mut turns = self.turns.borrow_mut();
        turns.retain(|waiter| !waiter.gone.get());
        let now = clock();
        let Some(next) = (0..turns.len()).min_by_key(|place| turns[*place].urgency(now)) else {
            self.turn_held.set(false);
            return;
        };
        let next = turns.swap_remove(next);
        next.turn.set(Some(Turn { inner: Rc::clone(self) }));
        next.wake();
    }
}

/// Wakes those who wait when memory was given back.
async fn keep(budget: Weak<Inner>, ring: Ring) {
    poll_fn(|cx| {
        let Some(budget) = budget.upgrade().filter(|_| !ring.is_closed()) else {
            return Poll::Ready(());
        };
        ring.on_wake(cx.waker());
        budget.grant();
        Poll::Pending
    })
    .await;
}

impl Waiter {
    /// The smaller, the sooner its turn.
    fn urgency(&self, now: Instant) -> usize {
        let waited =
            self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let halvings = u32::try_from(waited.as_millis() / AGING.as_millis()).unwrap_or(u32::MAX);
        self.bytes.checked_shr(halvings).unwrap_or(0)
    }

    fn wake(&self) {
        self.ready.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }
}

/// A waiter whose future may be dropped before its turn.
struct Waiting<'a> {
    waiter: &'a Waiter,
}

impl Waiting<'_> {
    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if self.waiter.ready.get() {
            return Poll::Ready(());
        }
        *self.waiter.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.waiter.gone.set(true);
    }
}

/// Memory that is accounted for until this is dropped.
pub struct Charge {
    shared: Arc<Shared>,
    class: Class,
    bytes: usize,
}

impl Charge {
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds `other`, of the same class.
    pub fn merge(&mut self, mut other: Charge) {
        assert_eq!(self.class, other.class, "charges of one class are merged");
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        if self.class == Class::Large {
            self.shared.used_large.fetch_sub(self.bytes, Ordering::AcqRel);
        }
        self.shared.used.fetch_sub(self.bytes, Ordering::SeqCst);
        if self.shared.waited_for.load(Ordering::SeqCst) {
            self.shared.wake.wake();
        }
    }
}

/// The right to receive a large frame.
pub struct Turn {
    inner: Rc<Inner>,
}

impl Turn {
    /// How long its holder may have nothing to receive, given how many wait.
    pub fn pause_max(&self) -> Duration {
        let waiting = u32::try_from(self.inner.turns.borrow().len()).unwrap_or(u32::MAX);
        (PAUSE_MAX / waiting.saturating_add(1)).max(PAUSE_MIN)
    }

    pub fn is_wanted(&self) -> bool {
        !self.inner.turns.borrow().is_empty()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.inner.pass_turn();
    }
}

/// A large frame that is arriving and known to the budget.
pub struct Entered {
    inner: Rc<Inner>,
    partial: Rc<dyn Partial>,
}

impl Entered {
    pub fn partial(&self) -> &Rc<dyn Partial> {
        &self.partial
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.inner.partial.borrow_mut().retain(|other| !Rc::ptr_eq(other, &self.partial));
    }
}
