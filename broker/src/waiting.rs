//! Parked fetches, on the shard of their connection: a wait has a number, the partitions' shards say that something moved.
//!
//! A watch is told once. What is told for a wait that is over is ignored.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

#[derive(Default)]
pub(crate) struct Waits {
    next: Cell<u64>,
    waiting: RefCell<HashMap<u64, State>>,
}

enum State {
    Waiting(Option<Waker>),
    Moved,
}

/// A wait that resolves once something moved; dropping it ends it.
pub(crate) struct Wait {
    waits: Rc<Waits>,
    pub watch: u64,
}

impl Waits {
    pub(crate) fn begin(self: &Rc<Self>) -> Wait {
        let watch = self.next.get();
        self.next.set(watch + 1);
        self.waiting.borrow_mut().insert(watch, State::Waiting(None));
        Wait { waits: Rc::clone(self), watch }
    }

    pub(crate) fn moved(&self, watch: u64) {
        let waker = match self.waiting.borrow_mut().get_mut(&watch) {
            Some(state) => match std::mem::replace(state, State::Moved) {
                State::Waiting(waker) => waker,
                State::Moved => None,
            },
            None => None,
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.borrow().len()
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.waits.waiting.borrow_mut().get_mut(&self.watch) {
            Some(State::Waiting(waker)) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Some(State::Moved) | None => Poll::Ready(()),
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.waits.waiting.borrow_mut().remove(&self.watch);
    }
}
