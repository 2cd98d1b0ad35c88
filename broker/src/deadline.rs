//! All the waits of a shard that end by the clock hang on one timer.
//!
//! A wait costs an entry in a map, not a timer of the executor: most of them (a produce request's timeout, a fetch's `max.wait`)
//! are given up long before they are due. They fire up to a millisecond late, never early.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

/// The timer's granularity: what it sleeps at least.
const TICK: Duration = Duration::from_millis(1);

#[derive(Default)]
pub(crate) struct Deadlines {
    due: RefCell<BTreeMap<(Instant, u64), Option<Waker>>>,
    next: Cell<u64>,
    /// Until when the driver sleeps, and its waker for an earlier deadline.
    asleep: RefCell<Option<(Instant, Waker)>>,
}

/// Resolves when the time has come.
pub(crate) struct Until {
    deadlines: Rc<Deadlines>,
    key: Option<(Instant, u64)>,
}

pin_project! {
    /// See [`Deadlines::limit`]. An async function would hold the future twice, as its argument and as what it waits for.
    pub(crate) struct Limited<F> {
        deadlines: Rc<Deadlines>,
        at: Instant,
        // From the first time on that the future was not ready.
        until: Option<Until>,
        #[pin]
        future: F,
    }
}

/// The time was up first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Elapsed;

impl Deadlines {
    pub(crate) fn until(self: &Rc<Self>, at: Instant) -> Until {
        let number = self.next.get();
        self.next.set(number + 1);
        self.due.borrow_mut().insert((at, number), None);
        let earlier = self.asleep.borrow_mut().take_if(|(wakes, _)| *wakes > at);
        if let Some((_, waker)) = earlier {
            waker.wake();
        }
        Until { deadlines: Rc::clone(self), key: Some((at, number)) }
    }

    /// `future`, or [`Elapsed`] at `at`.
    pub(crate) fn limit<F: Future>(self: &Rc<Self>, at: Instant, future: F) -> Limited<F> {
        Limited { deadlines: Rc::clone(self), at, until: None, future }
    }

    /// The one task that fires them: spawned once on the shard. `now` is the clock, `sleep` the executor's timer.
    pub(crate) async fn drive<S: Future<Output = ()>>(
        self: Rc<Self>,
        now: impl Fn() -> Instant,
        sleep: impl Fn(Duration) -> S,
    ) {
        loop {
            self.fire(now());
            let first = self.due.borrow().first_key_value().map(|((at, _), _)| *at);
            // With nothing due the driver waits for the first entry alone.
            let pause = first.map(|at| at.saturating_duration_since(now()).max(TICK));
            let mut timer = pause.map(|pause| Box::pin(sleep(pause)));
            let mut first_poll = true;
            std::future::poll_fn(|cx| {
                if let Some(timer) = timer.as_mut()
                    && timer.as_mut().poll(cx).is_ready()
                {
                    return Poll::Ready(());
                }
                if !std::mem::take(&mut first_poll) {
                    return Poll::Ready(());
                }
                let far = now() + Duration::from_secs(3600);
                *self.asleep.borrow_mut() = Some((first.unwrap_or(far), cx.waker().clone()));
                Poll::Pending
            })
            .await;
            self.asleep.borrow_mut().take();
        }
    }

    fn fire(&self, now: Instant) {
        loop {
            let waker = {
                let mut due = self.due.borrow_mut();
                match due.first_entry() {
                    Some(entry) if entry.key().0 <= now => entry.remove(),
                    _ => return,
                }
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

impl<F: Future> Future for Limited<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let until = this.until.get_or_insert_with(|| this.deadlines.until(*this.at));
        Pin::new(until).poll(cx).map(|()| Err(Elapsed))
    }
}

impl Future for Until {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(key) = self.key else { return Poll::Ready(()) };
        let fired = match self.deadlines.due.borrow_mut().get_mut(&key) {
            Some(waker) => {
                match waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => *waker = Some(cx.waker().clone()),
                }
                false
            }
            None => true,
        };
        if !fired {
            return Poll::Pending;
        }
        self.key = None;
        Poll::Ready(())
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.deadlines.due.borrow_mut().remove(&key);
        }
    }
}
