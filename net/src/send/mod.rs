//! Sends an answer's parts on a socket.
//!
//! Memory leaves by `SENDMSG` through the ring, gathered from as many pieces as the kernel takes at once. A range of a file
//! leaves, chunk by chunk, by the cheapest path that does not block the shard (`file`). Bytes are counted by path.
//!
//! Sockets are non-blocking, for `sendfile` must not wait: a send that finds no room waits for it by a poll on the ring.

mod file;
mod parts;

use std::{cell::Cell, io, os::fd::OwnedFd, rc::Rc, sync::Arc};

use ring::op::Message;

pub use parts::{FileRange, Part, Parts};

use crate::{shared::Net, stats::Count};

/// Pieces that are gathered before they are sent.
const PIECES_MAX: usize = 64;

/// How a range of a file is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilePath {
    /// What is in the page cache by `sendfile`; the rest by `READ` and `SEND`, or, beside writes, read ahead in pieces and then by
    /// `sendfile`.
    #[default]
    Auto,
    /// Always `sendfile`: blocks the shard on cold pages.
    SendFile,
    /// Always into memory, and from there.
    Read,
    /// Through a pipe, on a kernel thread.
    Splice,
}

#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The peer does not take it: the connection is broken.
    #[error("sending failed: {0}")]
    Peer(#[source] io::Error),
    /// A file could not be read, or was too short: what was sent so far must not be followed by anything.
    #[error("reading a file for an answer failed: {0}")]
    File(#[source] io::Error),
}

/// Sends on one socket.
pub(crate) struct Sender {
    net: Rc<Net>,
    socket: Arc<OwnedFd>,
    /// Bytes that the kernel has taken.
    taken: Rc<Cell<u64>>,
}

impl Sender {
    pub(crate) fn new(net: &Rc<Net>, socket: &Arc<OwnedFd>, taken: &Rc<Cell<u64>>) -> Sender {
        Sender { net: Rc::clone(net), socket: Arc::clone(socket), taken: Rc::clone(taken) }
    }

    fn count(&self, path: &Count, bytes: usize) {
        path.add(bytes as u64);
        self.taken.set(self.taken.get() + bytes as u64);
    }

    /// Returns when the kernel has taken all of it.
    pub(crate) async fn send(&self, parts: Vec<Part>) -> Result<(), SendError> {
        let mut parts = parts.into_iter().peekable();
        let mut message = self.net.take_message();
        while let Some(part) = parts.next() {
            match part {
                Part::Bytes(bytes) => message.push(bytes),
                Part::File(range) => {
                    message = self.send_message(message, true).await?;
                    self.send_range(range, parts.peek().is_some()).await?;
                }
            }
            if message.pieces() == PIECES_MAX {
                message = self.send_message(message, parts.peek().is_some()).await?;
            }
        }
        let message = self.send_message(message, false).await?;
        self.net.keep_message(message);
        Ok(())
    }

    /// Sends all of `message` and gives it back empty. `more`: something follows at once.
    async fn send_message(
        &self,
        mut message: Box<Message>,
        more: bool,
    ) -> Result<Box<Message>, SendError> {
        while !message.is_empty() {
            let (sent, back) = self.net.ring.send(&self.socket, message, more).await;
            message = back;
            self.net.stats.sends.add(1);
            match sent {
                Ok(0) => return Err(SendError::Peer(io::ErrorKind::WriteZero.into())),
                Ok(sent) => {
                    self.count(&self.net.stats.memory_bytes, sent);
                    message.advance(sent);
                }
                Err(error) => self.wait_unless_broken(error).await?,
            }
        }
        Ok(message)
    }

    /// Waits for room in the socket, if that is what was missing.
    async fn wait_unless_broken(&self, error: io::Error) -> Result<(), SendError> {
        match error.kind() {
            io::ErrorKind::WouldBlock => {
                self.net
                    .ring
                    .poll_add(&self.socket, libc::POLLOUT)
                    .await
                    .map_err(SendError::Peer)?;
                Ok(())
            }
            io::ErrorKind::Interrupted => Ok(()),
            _ => Err(SendError::Peer(error)),
        }
    }
}
