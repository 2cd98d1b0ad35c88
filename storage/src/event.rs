//! One thread's condition variable: tasks wait until something changed.
//!
//! A waiter that listens *before* it looks at the state it waits for misses nothing: `notify` ends every listening
//! that began before it.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// See the head of the file. Clones are the same event.
#[derive(Clone, Default)]
pub(crate) struct Event(Rc<Inner>);

#[derive(Default)]
struct Inner {
    turn: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Event {
    /// Ends every listening begun so far. Each waiter is woken once.
    pub(crate) fn notify(&self) {
        self.0.turn.set(self.0.turn.get() + 1);
        let waiting = std::mem::take(&mut *self.0.waiting.borrow_mut());
        for waker in waiting {
            waker.wake();
        }
    }

    pub(crate) fn listen(&self) -> Listen {
        Listen { event: self.clone(), turn: self.0.turn.get() }
    }
}

/// Ready once the event was notified after this was made.
pub(crate) struct Listen {
    event: Event,
    turn: u64,
}

impl Future for Listen {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.event.0.turn.get() != self.turn {
            return Poll::Ready(());
        }
        let mut waiting = self.event.0.waiting.borrow_mut();
        if !waiting.iter().any(|w| w.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}
