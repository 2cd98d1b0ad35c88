//! The writing half: answers that are complete leave together, in the order of their requests.

use std::{convert::Infallible, future::poll_fn, rc::Rc, task::Poll};

use super::{CloseReason, State};
use crate::{
    send::{SendError, Sender},
    shared::clock,
};

/// Sends until the connection ends. Waits without a waker: the connection's task runs it after whatever may complete an
/// answer.
pub(crate) async fn write(state: &Rc<State>) -> Result<Infallible, CloseReason> {
    let sender = Sender::new(&state.net, &state.socket, &state.sending.taken);
    loop {
        let mut batch = poll_fn(|_| match state.answers.borrow_mut().take_batch() {
            Some(batch) => Poll::Ready(batch),
            None => Poll::Pending,
        })
        .await;
        state.sending.begin(clock(), state.limits.send_timeout, batch.length);
        sender.send(std::mem::take(&mut batch.parts)).await.map_err(|error| match error {
            SendError::Peer(_) => CloseReason::Broken,
            SendError::File(error) => {
                tracing::error!(peer = %state.peer.remote, %error, "an answer's file cannot be read");
                CloseReason::File
            }
        })?;
        state.sending.end();
        state.touch(clock());
        state.answers.borrow_mut().sent(&batch);
    }
}
