//! `Net`: what all connections of a shard share, and the clock that ends those that wait too long.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::{Duration, Instant},
};

use ring::{Ring, op::Message};

use crate::{
    budget::Budget,
    connection::{CloseReason, State},
    send::FilePath,
    stats::NetStats,
};

/// How often deadlines are looked at while something is under way, and otherwise: none of them is shorter than a second.
const SWEEP: Duration = Duration::from_millis(250);
const SWEEP_IDLE: Duration = Duration::from_secs(1);
/// Messages that are kept for the next answers.
const MESSAGES_KEPT: usize = 64;
/// Bytes of cold files that may be in memory on their way to sockets.
const COLD_BYTES_MAX: usize = 16 << 20;
/// Bytes of cold files that the device is asked for at once while writes may have to wait for it.
const AHEAD_BYTES_MAX: usize = 1 << 20;

pub struct Net {
    pub ring: Ring,
    pub stats: NetStats,
    /// For requests.
    pub budget: Budget,
    /// For what is read from files into memory in order to be sent.
    pub(crate) cold: Budget,
    /// For what is read from files into the page cache beside writes.
    pub(crate) ahead: Budget,
    file_path: Cell<FilePath>,
    next_id: Cell<u64>,
    connections: RefCell<Vec<Rc<State>>>,
    #[expect(clippy::vec_box, reason = "the kernel is given a message's address")]
    messages: RefCell<Vec<Box<Message>>>,
}

impl Net {
    /// For this shard: `receive_bytes` for the requests that are arriving or held, and never less than what one frame of
    /// `frame_bytes_max` needs.
    pub fn new(ring: &Ring, receive_bytes: usize, frame_bytes_max: usize) -> Rc<Net> {
        let net = Rc::new(Net {
            ring: ring.clone(),
            stats: NetStats::default(),
            budget: Budget::new(ring, receive_bytes, frame_bytes_max),
            cold: Budget::new(ring, COLD_BYTES_MAX, 0),
            ahead: Budget::new(ring, AHEAD_BYTES_MAX, 0),
            file_path: Cell::new(FilePath::Auto),
            next_id: Cell::new(0),
            connections: RefCell::default(),
            messages: RefCell::default(),
        });
        glommio::spawn_local(sweep(Rc::downgrade(&net))).detach();
        net
    }

    /// How ranges of files are sent from now on.
    pub fn set_file_path(&self, path: FilePath) {
        self.file_path.set(path);
    }

    pub fn file_path(&self) -> FilePath {
        self.file_path.get()
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.replace(self.next_id.get() + 1)
    }

    pub(crate) fn enter(&self, state: Rc<State>) {
        self.stats.connections.add(1);
        self.stats.connections_opened.add(1);
        state.place.set(self.connections.borrow().len());
        self.connections.borrow_mut().push(state);
    }

    pub(crate) fn leave(&self, state: &State, reason: CloseReason) {
        self.stats.connections.subtract(1);
        self.stats.count_closed(reason);
        let mut connections = self.connections.borrow_mut();
        let place = state.place.get();
        connections.swap_remove(place);
        if let Some(moved) = connections.get(place) {
            moved.place.set(place);
        }
    }

    /// Ends all connections that `listener` has accepted: those with nothing under way at once, the others when their
    /// answers have left, at the latest after `deadline`.
    pub(crate) fn drain(&self, listener: &Rc<()>, deadline: Duration) {
        let now = clock();
        for state in
            self.connections.borrow().iter().filter(|state| Rc::ptr_eq(&state.listener, listener))
        {
            state.drain(now + deadline);
        }
    }

    pub(crate) fn take_message(&self) -> Box<Message> {
        self.messages.borrow_mut().pop().unwrap_or_else(Message::new)
    }

    /// Keeps an empty message for later.
    pub(crate) fn keep_message(&self, message: Box<Message>) {
        let mut messages = self.messages.borrow_mut();
        if messages.len() < MESSAGES_KEPT && message.is_empty() {
            messages.push(message);
        }
    }

    /// Whether something is under way.
    fn sweep(&self) -> bool {
        let now = clock();
        let pressed = self.budget.is_pressed();
        // Closing only wakes a connection's task: it leaves the list later.
        let connections = self.connections.borrow();
        connections.iter().filter(|state| state.check(now, pressed)).count() > 0
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the network's deadlines begin here; everything below takes `now`"
)]
pub(crate) fn clock() -> Instant {
    Instant::now()
}

/// Ends with the `Net`.
async fn sweep(net: Weak<Net>) {
    let mut pause = SWEEP;
    loop {
        glommio::timer::sleep(pause).await;
        let Some(net) = net.upgrade() else { return };
        pause = if net.sweep() { SWEEP } else { SWEEP_IDLE };
    }
}
