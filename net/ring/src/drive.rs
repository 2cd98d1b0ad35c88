//! The tasks that keep a ring going on glommio's executor.
//!
//! - *submit* waits until something was pushed and enters once for all of it. It is woken at the end of the run queue, so
//!   that every task that is runnable before it adds to the same system call.
//! - *drain* reads the ring's eventfd through glommio, which is how an executor that sleeps hears of completions and of
//!   `WakeHandle::wake`.
//! - *sentry* does nothing but leave a waker for the guard.

use std::{
    future::poll_fn,
    io,
    os::fd::{FromRawFd, IntoRawFd},
    rc::Rc,
};

use glommio::io::BufferedFile;

use crate::{ring::Inner, wake::WakeHandle};

pub(crate) fn spawn(inner: &Rc<Inner>) -> io::Result<()> {
    let eventfd = inner.wake().shared().duplicate_eventfd()?;
    // SAFETY: the descriptor is open and nobody else's: it was duplicated for this file.
    let eventfd = unsafe { BufferedFile::from_raw_fd(eventfd.into_raw_fd()) };
    inner.driver_begins();
    glommio::spawn_local(submit(Rc::clone(inner))).detach();
    inner.driver_begins();
    glommio::spawn_local(drain(Rc::clone(inner), eventfd)).detach();
    glommio::spawn_local(sentry(inner.wake().clone())).detach();
    Ok(())
}

async fn submit(inner: Rc<Inner>) {
    poll_fn(|cx| inner.poll_submit(cx.waker())).await;
    inner.driver_ends();
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
