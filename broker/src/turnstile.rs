//! First come, first served: appends of one partition take turns in the order in which they arrived, although one of them may
//! have to be decompressed in slices before it can be appended.
//!
//! A place in the queue is taken by [`Turnstile::enter`] at once, not when the future is first polled. A place that is given up
//! (its request was dropped) is passed over.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

#[derive(Default)]
pub(crate) struct Turnstile(RefCell<Queue>);

#[derive(Default)]
struct Queue {
    /// The number of the place at the front.
    front: u64,
    places: VecDeque<Place>,
}

enum Place {
    Taken,
    Waiting(Waker),
    GivenUp,
}

impl Turnstile {
    pub(crate) fn enter(self: &Rc<Self>) -> Turn {
        let mut queue = self.0.borrow_mut();
        let number = queue.front + queue.places.len() as u64;
        queue.places.push_back(Place::Taken);
        Turn { turnstile: Rc::clone(self), number }
    }
}

/// A place in the queue: await it until it is at the front; dropping it lets the next one in.
#[must_use]
pub(crate) struct Turn {
    turnstile: Rc<Turnstile>,
    number: u64,
}

impl Turn {
    pub(crate) fn is_front(&self) -> bool {
        self.turnstile.0.borrow().front == self.number
    }

    /// Waits for the front.
    pub(crate) fn come(&mut self) -> Come<'_> {
        Come(self)
    }
}

/// The wait of [`Turn::come`].
pub(crate) struct Come<'a>(&'a mut Turn);

impl Future for Come<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut queue = self.0.turnstile.0.borrow_mut();
        if queue.front == self.0.number {
            return Poll::Ready(());
        }
        let at = index(&queue, self.0.number);
        queue.places[at] = Place::Waiting(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let woken = {
            let mut queue = self.turnstile.0.borrow_mut();
            let at = index(&queue, self.number);
            queue.places[at] = Place::GivenUp;
            while matches!(queue.places.front(), Some(Place::GivenUp)) {
                queue.places.pop_front();
                queue.front += 1;
            }
            match queue.places.front_mut() {
                Some(place @ Place::Waiting(_)) => Some(std::mem::replace(place, Place::Taken)),
                _ => None,
            }
        };
        if let Some(Place::Waiting(waker)) = woken {
            waker.wake();
        }
    }
}

fn index(queue: &Queue, number: u64) -> usize {
    usize::try_from(number - queue.front).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn turns_come_in_the_order_of_entering() {
        let turnstile = Rc::new(Turnstile::default());
        let mut first = turnstile.enter();
        let mut second = turnstile.enter();
        let mut third = turnstile.enter();
        assert!(third.come().now_or_never().is_none());
        assert!(second.come().now_or_never().is_none());
        assert!(first.come().now_or_never().is_some());
        drop(second);
        assert!(
            third.come().now_or_never().is_none(),
            "a place given up behind the front lets nobody past it"
        );
        drop(first);
        assert!(third.come().now_or_never().is_some());
        drop(third);
        assert!(turnstile.enter().is_front());
    }
}
