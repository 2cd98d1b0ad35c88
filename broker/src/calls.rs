//! Questions across the mesh: an id, a bounded number of them in flight to each peer, and the future that its answer completes.
//!
//! What it promises: the receiving loop never waits for room. Each ordered pair's queue holds [`QUEUE`] messages; at most
//! [`IN_FLIGHT`] questions are out to a peer, so at most that many answers come back on the other queue, and what is left of it
//! carries that side's own questions and its one-way messages. A question without a free place waits here, with its sender.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures::channel::oneshot;
use net::mesh::Endpoint;

use crate::message::{Answer, Ask, Message};

/// Questions in flight to one peer.
pub(crate) const IN_FLIGHT: usize = 1024;
/// Messages that one direction between two executors holds: the questions out, the answers back, and as many one-way messages.
pub(crate) const QUEUE: usize = 4 * IN_FLIGHT;

/// How soon a full queue is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// The peer is gone: the node is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the executor that was asked has stopped")]
pub(crate) struct Stopped;

/// One executor's side of all its questions.
pub(crate) struct Calls {
    endpoint: Rc<Endpoint<Message>>,
    peers: Vec<Peer>,
    /// Who looks at full queues again.
    driver: RefCell<Option<Waker>>,
}

#[derive(Default)]
struct Peer {
    waiting: RefCell<Vec<Option<oneshot::Sender<Answer>>>>,
    free: RefCell<Vec<u32>>,
    /// Questions that wait for a place, in order.
    queued: RefCell<VecDeque<(u32, Ask)>>,
    in_flight: Cell<usize>,
    /// One-way messages and answers that found the queue full; sent before anything newer.
    overflow: RefCell<VecDeque<Message>>,
}

impl Calls {
    pub(crate) fn new(endpoint: Rc<Endpoint<Message>>, peers: usize) -> Calls {
        Calls {
            endpoint,
            peers: (0..peers).map(|_| Peer::default()).collect(),
            driver: RefCell::default(),
        }
    }

    /// Asks `peer`; questions of one caller to one peer arrive in the order in which `ask` was called, not first polled.
    pub(crate) fn ask(
        &self,
        peer: usize,
        ask: Ask,
    ) -> impl Future<Output = Result<Answer, Stopped>> + use<> {
        let (sender, receiver) = oneshot::channel();
        self.ask_into(peer, ask, sender);
        async move { receiver.await.map_err(|_| Stopped) }
    }

    /// The same, with the answer sent to where the caller waits for it.
    pub(crate) fn ask_into(&self, peer: usize, ask: Ask, sender: oneshot::Sender<Answer>) {
        let to = &self.peers[peer];
        let id = match to.free.borrow_mut().pop() {
            Some(id) => id,
            None => {
                to.waiting.borrow_mut().push(None);
                u32::try_from(to.waiting.borrow().len() - 1).unwrap_or(u32::MAX)
            }
        };
        to.waiting.borrow_mut()[id as usize] = Some(sender);
        to.queued.borrow_mut().push_back((id, ask));
        self.pump(peer);
    }

    /// Sends a one-way message or an answer. It never waits: what finds no room is kept and goes first when there is some.
    pub(crate) fn post(&self, peer: usize, message: Message) {
        let to = &self.peers[peer];
        to.overflow.borrow_mut().push_back(message);
        self.pump(peer);
    }

    /// An answer came from `peer`.
    pub(crate) fn answered(&self, peer: usize, id: u32, answer: Answer) {
        let to = &self.peers[peer];
        let sender = to.waiting.borrow_mut().get_mut(id as usize).and_then(Option::take);
        if let Some(sender) = sender {
            to.free.borrow_mut().push(id);
            to.in_flight.set(to.in_flight.get() - 1);
            // The asker may have given up; its answer is then dropped here.
            let _ = sender.send(answer);
        }
        self.pump(peer);
    }

    /// Sends what has been kept back, as far as there is room. Called with every message received, and by the ticker.
    pub(crate) fn pump(&self, peer: usize) {
        let to = &self.peers[peer];
        loop {
            let Some(message) = to.overflow.borrow_mut().pop_front() else { break };
            if let Err(message) = self.endpoint.try_send(peer, message) {
                to.overflow.borrow_mut().push_front(message);
                return self.wake_driver();
            }
        }
        while to.in_flight.get() < IN_FLIGHT {
            let Some((id, ask)) = to.queued.borrow_mut().pop_front() else { return };
            match self.endpoint.try_send(peer, Message::Ask { id, ask }) {
                Ok(()) => to.in_flight.set(to.in_flight.get() + 1),
                Err(Message::Ask { id, ask }) => {
                    to.queued.borrow_mut().push_front((id, ask));
                    return self.wake_driver();
                }
                Err(_) => unreachable!("try_send returns the message that it was given"),
            }
        }
    }

    /// Whether something waits for room in a full queue. (What waits for a place among the questions is sent by the next answer.)
    pub(crate) fn kept_back(&self) -> bool {
        self.peers.iter().any(|to| {
            !to.overflow.borrow().is_empty()
                || (!to.queued.borrow().is_empty() && to.in_flight.get() < IN_FLIGHT)
        })
    }

    pub(crate) fn pump_all(&self) {
        for peer in 0..self.peers.len() {
            self.pump(peer);
        }
    }

    /// Looks at full queues again, until they have room; sleeps while there are none. Spawned once on an executor.
    pub(crate) async fn drive<S: Future>(&self, sleep: impl Fn(Duration) -> S) {
        loop {
            std::future::poll_fn(|cx| {
                if self.kept_back() {
                    return Poll::Ready(());
                }
                *self.driver.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            })
            .await;
            sleep(LOOK_AGAIN).await;
            self.pump_all();
        }
    }

    fn wake_driver(&self) {
        let driver = self.driver.borrow_mut().take();
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}
