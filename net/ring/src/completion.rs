//! The future of one operation.

use std::{
    future::Future,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use crate::{
    ring::Inner,
    slots::{Held, Key},
};

/// What happens to an operation whose future is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDrop {
    /// It goes on: it changes something, and its effect may be waited for elsewhere.
    Leave,
    /// It only waits, and would wait for ever, or swallow what arrives: the kernel is asked to end it.
    Cancel,
}

/// Turns the kernel's result, and what the operation owned, into what its caller gets.
pub(crate) type Finish<T> = fn(i32, Held) -> T;

/// An operation that has been pushed already; resolves when the kernel has completed it.
#[must_use = "an operation tells its result, and its error, only to who awaits it"]
pub struct Op<T> {
    ring: Rc<Inner>,
    key: Option<Key>,
    finish: Finish<T>,
    on_drop: OnDrop,
}

impl<T> Op<T> {
    pub(crate) fn new(ring: Rc<Inner>, key: Key, finish: Finish<T>, on_drop: OnDrop) -> Op<T> {
        Op { ring, key: Some(key), finish, on_drop }
    }

    /// Goes on without anybody who waits for its result.
    pub fn detach(mut self) {
        self.on_drop = OnDrop::Leave;
    }
}

impl<T> Future for Op<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let key = self.key.expect("a future is not polled after it was ready");
        match self.ring.poll(key, cx.waker()) {
            Some((outcome, held)) => {
                self.key = None;
                Poll::Ready((self.finish)(outcome.result, held))
            }
            None => Poll::Pending,
        }
    }
}

impl<T> Drop for Op<T> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.ring.abandon(key, self.on_drop);
        }
    }
}

/// A kernel result as an `io::Result`.
pub(crate) fn check(result: i32) -> io::Result<u32> {
    u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}

pub(crate) fn unit(result: i32, held: Held) -> io::Result<()> {
    drop(held);
    check(result).map(drop)
}

pub(crate) fn count(result: i32, held: Held) -> io::Result<usize> {
    drop(held);
    check(result).map(|count| count as usize)
}
