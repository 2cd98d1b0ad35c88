//! The tasks that keep a ring going on glommio's executor.
//!
//! - *submit* is the loop of a busy shard: it submits what was pushed, waits in the ring until something completes, lets the
//!   tasks that this wakes run until none is runnable, and so on. It runs in a task queue of its own, since glommio leaves a
//!   queue only when it is empty: so every task that is runnable adds to the same system call. When nothing has
//!   happened for a while it lets the executor park.
//! - *drain* reads the ring's eventfd through glommio, which is how an executor that has parked hears of completions and of
//!   `WakeHandle::wake`.
//! - *bell* is the last in the queue of all other tasks: it wakes *submit* when those before it have run.
//! - *sentry* does nothing but leave a waker for the guard.
//!
//! # Not obvious
//! - Parking in glommio costs some six system calls (a membarrier, its own rings and timers); waiting in our ring costs none
//!   beside the one that submits.
//! - A task that yields by waking itself would keep its queue from ever being empty, and the ring from its turn: tasks yield
//!   by `Ring::yield_now`, which comes back after the turn.
//! - While *submit* goes on, glommio does not look at its own timers and rings: it takes a breath for them.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    os::fd::{FromRawFd, IntoRawFd},
    rc::Rc,
    task::{Poll, Waker},
    time::{Duration, Instant},
};

use glommio::{Latency, Shares, io::BufferedFile};

use crate::{ring::Inner, wake::WakeHandle};

/// For so long glommio's own timers may be kept waiting.
const BREATH: Duration = Duration::from_millis(10);
/// A shorter sleep is over when it is first polled, and glommio would not look at anything: then its timers starve for as long as
/// the shard is busy, and with them whatever closes slow peers.
const BREATH_LASTS: Duration = Duration::from_micros(5);

pub(crate) fn spawn(inner: &Rc<Inner>) -> io::Result<()> {
    let eventfd = inner.wake().shared().duplicate_eventfd()?;
    // SAFETY: the descriptor is open and nobody else's: it was duplicated for this file.
    let eventfd = unsafe { BufferedFile::from_raw_fd(eventfd.into_raw_fd()) };
    let queue =
        glommio::executor().create_task_queue(Shares::default(), Latency::NotImportant, "ring");
    let bell = Rc::new(Bell::default());
    inner.driver_begins();
    glommio::spawn_local_into(submit(Rc::clone(inner), Rc::clone(&bell)), queue)
        .map_err(|error| io::Error::other(error.to_string()))?
        .detach();
    inner.driver_begins();
    glommio::spawn_local(drain(Rc::clone(inner), eventfd)).detach();
    glommio::spawn_local(poll_bell(bell)).detach();
    glommio::spawn_local(sentry(inner.wake().clone())).detach();
    Ok(())
}

async fn submit(inner: Rc<Inner>, bell: Rc<Bell>) {
    while !inner.is_closed() {
        poll_fn(|cx| inner.poll_unparked(cx.waker())).await;
        let mut breathed = now();
        while !inner.is_closed() && inner.turn() {
            bell.ring().await;
            if now().duration_since(breathed) > BREATH {
                glommio::timer::sleep(BREATH_LASTS).await;
                breathed = now();
            }
        }
    }
    bell.end();
    inner.driver_ends();
}

#[expect(
    clippy::disallowed_methods,
    reason = "decides nothing but when to look at glommio's timers"
)]
fn now() -> Instant {
    Instant::now()
}

/// Between the submit task and the bell task.
#[derive(Default)]
struct Bell {
    submit: RefCell<Option<Waker>>,
    bell: RefCell<Option<Waker>>,
    ended: Cell<bool>,
}

impl Bell {
    /// Until every task that is runnable now has run.
    async fn ring(&self) {
        let mut rung = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut rung, true) {
                return Poll::Ready(());
            }
            *self.submit.borrow_mut() = Some(cx.waker().clone());
            if let Some(bell) = &*self.bell.borrow() {
                bell.wake_by_ref();
            }
            Poll::Pending
        })
        .await;
    }

    fn end(&self) {
        self.ended.set(true);
        if let Some(bell) = self.bell.borrow_mut().take() {
            bell.wake();
        }
    }
}

async fn poll_bell(bell: Rc<Bell>) {
    poll_fn(|cx| {
        if bell.ended.get() {
            return Poll::Ready(());
        }
        bell.bell.borrow_mut().get_or_insert_with(|| cx.waker().clone());
        if let Some(submit) = bell.submit.borrow_mut().take() {
            submit.wake();
        }
        Poll::Pending
    })
    .await;
}

async fn drain(inner: Rc<Inner>, eventfd: BufferedFile) {
    while !inner.is_closed() {
        match eventfd.read_at(0, 8).await {
            Ok(_) => inner.notified(),
            // Nothing would hear of completions any more: there is no way to go on.
            Err(error) => panic!("reading the ring's eventfd failed: {error}"),
        }
    }
    // An error of closing an eventfd has no consequence.
    let _ = eventfd.close().await;
    inner.driver_ends();
}

/// Holds no reference to the ring: its waker may outlive it.
async fn sentry(wake: WakeHandle) {
    poll_fn(|cx| wake.shared().poll_sentry(cx.waker())).await;
}
