//! What an append returns to wait on: it resolves when the batch has the durability that was promised.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::commit_log::commit::Outcome;
use crate::error::Offline;
use crate::planted::{Bug, is};

/// Resolves once per group for all its batches, in one turn. After `Ok` under [`crate::Durability::Sync`] (or for a topic
/// whose `flush.messages` was reached) the batch is on stable storage; under [`crate::Durability::Written`] it is written.
#[derive(Clone)]
pub struct Ticket {
    pub(crate) outcome: Rc<Outcome>,
    pub(crate) durable: bool,
}

impl Ticket {
    /// What the future would resolve to now, if it would.
    #[must_use]
    pub fn now(&self) -> Option<Result<(), Offline>> {
        if is(Bug::AcknowledgedAtAppend) {
            return Some(Ok(()));
        }
        let done =
            if self.durable { self.outcome.durable.get() } else { self.outcome.written.get() };
        if done {
            return Some(Ok(()));
        }
        self.outcome.failed.borrow().clone().map(Err)
    }
}

impl Future for Ticket {
    type Output = Result<(), Offline>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(result) = self.now() {
            return Poll::Ready(result);
        }
        let mut waiting = self.outcome.waiting.borrow_mut();
        if !waiting.last().is_some_and(|last| last.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
