//! The mesh: one bounded queue per ordered pair of executors, and nothing else that crosses between them.
//!
//! What it promises:
//! - Messages of one executor to another arrive once and in the order in which they were sent.
//! - `try_send` never waits: a full queue gives the message back. The receiving loop must never wait for room either, or two
//!   full queues wait for each other for ever: whoever sends a question reserves the room for its answer first.
//! - A receiver is woken only when it sleeps, so that under load a message costs a push and a fence.
//!
//! `mesh` makes a `Port` for each executor, which may be moved to its thread; attached there, it is an `Endpoint`. An executor
//! with a ring awaits `recv`; a plain thread blocks in `recv_blocking`.

mod sleeper;

mod atomic {
    pub(super) use std::sync::atomic::{AtomicBool, Ordering, fence};
}

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use nix::poll::PollTimeout;
use ring::{Ring, WakeHandle};
use rtrb::{Consumer, Producer, PushError, RingBuffer};
use sleeper::Sleeper;

/// A place for each of `executors`, each pair joined by a queue of `capacity` messages in each direction. An executor has a
/// queue to itself too, so that callers need not tell the cases apart.
pub fn mesh<M: Send>(executors: usize, capacity: usize) -> Vec<Port<M>> {
    let doors: Arc<[Door]> = (0..executors).map(|_| Door::new()).collect();
    let mut ports: Vec<Port<M>> = (0..executors)
        .map(|index| Port { index, to: Vec::new(), from: Vec::new(), doors: Arc::clone(&doors) })
        .collect();
    for receiver in 0..executors {
        for sender in 0..executors {
            let (to, from) = RingBuffer::new(capacity);
            ports[sender].to.push(RefCell::new(to));
            ports[receiver].from.push(RefCell::new(from));
        }
    }
    ports
}

/// What senders know of a receiver. On a cache line of its own: each is read by all.
#[repr(align(128))]
struct Door {
    sleeper: Sleeper,
    handle: OnceLock<WakeHandle>,
}

impl Door {
    fn new() -> Door {
        Door { sleeper: Sleeper::new(), handle: OnceLock::new() }
    }

    fn wake_sleeper(&self) {
        if self.sleeper.must_be_woken()
            && let Some(handle) = self.handle.get()
        {
            handle.wake();
        }
    }
}

/// An executor's place in the mesh, before it is on its thread.
pub struct Port<M> {
    index: usize,
    to: Vec<RefCell<Producer<M>>>,
    from: Vec<RefCell<Consumer<M>>>,
    doors: Arc<[Door]>,
}

impl<M: Send> Port<M> {
    pub fn index(&self) -> usize {
        self.index
    }

    /// On the executor's own thread, beside its ring.
    pub fn attach(self, ring: &Ring) -> Endpoint<M> {
        self.attach_to(ring.wake_handle(), Some(ring.clone()))
    }

    /// On a plain thread, which `handle` wakes (`WakeHandle::for_thread`).
    pub fn attach_thread(self, handle: WakeHandle) -> Endpoint<M> {
        self.attach_to(handle, None)
    }

    fn attach_to(self, handle: WakeHandle, ring: Option<Ring>) -> Endpoint<M> {
        assert!(self.doors[self.index].handle.set(handle).is_ok(), "a port is attached once");
        Endpoint { port: self, ring, next: Cell::new(0), stats: Cell::default() }
    }
}

/// What an endpoint has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeshStats {
    pub sent: u64,
    /// Sends that found no room.
    pub refused: u64,
    pub received: u64,
    /// Times that a receive found nothing and waited.
    pub sleeps: u64,
}

/// An executor's end of all its queues.
pub struct Endpoint<M> {
    port: Port<M>,
    ring: Option<Ring>,
    /// The sender to look at first: each has its turn.
    next: Cell<usize>,
    stats: Cell<MeshStats>,
}

impl<M: Send> Endpoint<M> {
    pub fn index(&self) -> usize {
        self.port.index
    }

    pub fn executors(&self) -> usize {
        self.port.to.len()
    }

    pub fn stats(&self) -> MeshStats {
        self.stats.get()
    }

    /// Sends `message`, or gives it back where there is no room.
    pub fn try_send(&self, to: usize, message: M) -> Result<(), M> {
        let pushed = self.port.to[to].borrow_mut().push(message);
        match pushed {
            Ok(()) => {
                self.count(|stats| stats.sent += 1);
                self.port.doors[to].wake_sleeper();
                Ok(())
            }
            Err(PushError::Full(message)) => {
                self.count(|stats| stats.refused += 1);
                Err(message)
            }
        }
    }

    /// Messages that `to` has room for.
    pub fn room(&self, to: usize) -> usize {
        self.port.to[to].borrow().slots()
    }

    /// The next message and its sender's number, if there is one.
    pub fn try_recv(&self) -> Option<(usize, M)> {
        let senders = self.port.from.len();
        let first = self.next.get();
        for sender in (first..senders).chain(0..first) {
            let popped = self.port.from[sender].borrow_mut().pop();
            if let Ok(message) = popped {
                self.next.set(if sender + 1 == senders { 0 } else { sender + 1 });
                self.count(|stats| stats.received += 1);
                return Some((sender, message));
            }
        }
        None
    }

    /// The next message and its sender's number. Only one task of an executor receives.
    pub fn recv(&self) -> impl Future<Output = (usize, M)> + '_ {
        poll_fn(|cx| self.poll_recv(cx))
    }

    pub fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<(usize, M)> {
        let sleeper = &self.port.doors[self.port.index].sleeper;
        sleeper.awake();
        if let Some(received) = self.try_recv() {
            return Poll::Ready(received);
        }
        let ring = self.ring.as_ref().expect("a plain thread uses recv_blocking");
        // Before we are seen asleep: whoever wakes us must find whom to wake.
        ring.on_wake(cx.waker());
        sleeper.falls_asleep();
        if let Some(received) = self.try_recv() {
            sleeper.awake();
            return Poll::Ready(received);
        }
        self.count(|stats| stats.sleeps += 1);
        Poll::Pending
    }

    /// On a plain thread: the next message, or `None` after `timeout` (`None` waits for ever), or when somebody called
    /// `wake` on the thread's handle for another reason.
    pub fn recv_blocking(&self, timeout: Option<Duration>) -> io::Result<Option<(usize, M)>> {
        let door = &self.port.doors[self.port.index];
        if let Some(received) = self.try_recv() {
            return Ok(Some(received));
        }
        door.sleeper.falls_asleep();
        if let Some(received) = self.try_recv() {
            door.sleeper.awake();
            return Ok(Some(received));
        }
        self.count(|stats| stats.sleeps += 1);
        let timeout = timeout.map_or(PollTimeout::NONE, |timeout| {
            PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX)
        });
        let waited = door.handle.get().expect("an endpoint is attached").wait(timeout);
        door.sleeper.awake();
        waited?;
        Ok(self.try_recv())
    }

    fn count(&self, change: impl FnOnce(&mut MeshStats)) {
        let mut stats = self.stats.get();
        change(&mut stats);
        self.stats.set(stats);
    }
}
