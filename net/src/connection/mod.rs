//! One connection: frames in, answers out.
//!
//! What it promises:
//! - Answers leave in the order of their requests. The first stage of a request ends before the next request is looked at;
//!   second stages run beside each other.
//! - Requests in flight are bounded by number and by bytes; at the bound nothing is received.
//! - A connection that has nothing under way owns no buffer, only its task.
//! - A peer that is muted is not served until then; what it sends meanwhile waits.
//! - A peer that takes its answers too slowly, or holds memory and sends too slowly, is closed.
//! - A failed or short send closes it: half an answer is never followed by another.
//!
//! One task runs both halves (`read`, `write`) and the second stages (`answers`); whatever wakes it, all of them are polled.
//! `state` is what others see of it.

mod answers;
mod read;
mod service;
mod state;
mod write;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
};

use crate::shared::clock;
pub use service::{CloseReason, Limits, Outcome, Peer, RATE_FLOOR, Service, Software};
pub(crate) use state::State;

/// How long the answers of a peer that has ended its stream may take.
const LINGER: std::time::Duration = std::time::Duration::from_secs(5);

/// Runs a connection to its end.
pub(crate) async fn run<S: Service>(state: &Rc<State>, service: &Rc<S>) -> CloseReason {
    let mut reader = pin!(read::read(state, service));
    let mut writer = pin!(write::write(state));
    let mut reading = true;
    let reason = poll_fn(|cx| {
        state.remember(cx.waker());
        loop {
            if let Some(reason) = state.closing() {
                return Poll::Ready(reason);
            }
            if reading && !(state.is_draining() && state.between_requests.get()) {
                match reader.as_mut().poll(cx) {
                    Poll::Ready(Ok(())) => {
                        reading = false;
                        state.drain(clock() + LINGER);
                    }
                    Poll::Ready(Err(reason)) => return Poll::Ready(reason),
                    Poll::Pending => {}
                }
            }
            if state.answers.borrow_mut().poll_later(cx).is_err() {
                return Poll::Ready(CloseReason::Malformed);
            }
            if let Poll::Ready(Err(reason)) = writer.as_mut().poll(cx) {
                return Poll::Ready(reason);
            }
            let idle = state.answers.borrow().is_empty();
            if idle && state.is_draining() && state.between_requests.get() {
                return Poll::Ready(if reading {
                    CloseReason::Shutdown
                } else {
                    CloseReason::PeerClosed
                });
            }
            // Answers that have left may have made the room that the reader waits for.
            if !state.wants_room.get().is_some_and(|bytes| state.has_room_for(bytes)) {
                return Poll::Pending;
            }
        }
    })
    .await;
    state.forget_waker();
    state.shut();
    reason
}
