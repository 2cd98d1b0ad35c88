//! The one timer of a host: moved as the machine's first deadline moves, waited for by one task.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::deadline::Until;

/// Clones are the same alarm.
#[derive(Clone, Default)]
pub(crate) struct Alarm(Rc<Inner>);

#[derive(Default)]
struct Inner {
    until: RefCell<Option<Until>>,
    waker: RefCell<Option<Waker>>,
    over: Cell<bool>,
}

impl Alarm {
    /// Goes off at the end of `until`, and no longer when it would have.
    pub(crate) fn set(&self, until: Option<Until>) {
        *self.0.until.borrow_mut() = until;
        self.wake();
    }

    /// Whoever waits is told that it will not go off any more.
    pub(crate) fn end(&self) {
        self.0.over.set(true);
        self.wake();
    }

    /// True when it went off, false when it ended.
    pub(crate) fn wait(&self) -> Wait<'_> {
        Wait(self)
    }

    fn wake(&self) {
        let waker = self.0.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The wait of [`Alarm::wait`].
pub(crate) struct Wait<'a>(&'a Alarm);

impl Future for Wait<'_> {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let alarm = &self.0.0;
        if alarm.over.get() {
            return Poll::Ready(false);
        }
        let mut until = alarm.until.borrow_mut();
        if let Some(set) = until.as_mut()
            && Pin::new(set).poll(cx).is_ready()
        {
            *until = None;
            return Poll::Ready(true);
        }
        *alarm.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}
