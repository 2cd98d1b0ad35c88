//! Requests that wait for a group on another shard, on the shard of their connection: a JoinGroup may wait for minutes, and must not
//! hold one of the places that questions between shards have.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use futures::channel::oneshot;

use super::message::GroupAnswer;

#[derive(Default)]
pub(crate) struct Parked {
    next: Cell<u64>,
    waiting: RefCell<HashMap<u64, oneshot::Sender<GroupAnswer>>>,
}

/// A request that waits; dropping it gives the wait up.
pub(crate) struct Wait {
    parked: Rc<Parked>,
    pub(crate) number: u64,
    receiver: oneshot::Receiver<GroupAnswer>,
}

impl Parked {
    pub(crate) fn begin(self: &Rc<Self>) -> Wait {
        let number = self.next.get();
        self.next.set(number + 1);
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(number, sender);
        Wait { parked: Rc::clone(self), number, receiver }
    }

    /// The answer came. Whoever waited may have given up.
    pub(crate) fn answered(&self, number: u64, answer: GroupAnswer) {
        let sender = self.waiting.borrow_mut().remove(&number);
        if let Some(sender) = sender {
            let _ = sender.send(answer);
        }
    }

    /// Nobody is answered any more: the shard stops.
    pub(crate) fn end(&self) {
        self.waiting.borrow_mut().clear();
    }
}

impl Wait {
    /// `None` if the shard stopped first.
    pub(crate) async fn answer(mut self) -> Option<GroupAnswer> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.parked.waiting.borrow_mut().remove(&self.number);
    }
}
