//! One connection: what was received and is not yet handled, what is to be sent, which operations are in flight.
//!
//! Answers leave in the order of their requests: those to Produce come when their group is written, and while some are owed
//! any other request waits. Only a Fetch is to be asked alone: its records follow whatever is in the output.

use std::{
    collections::VecDeque,
    os::fd::{AsRawFd as _, OwnedFd},
};

use anyhow::{Result, ensure};
use io_uring::{opcode, squeue, types};

use super::{
    log::GROUP_BYTES,
    served::{Served, send_warm},
};

const BUFFER_BYTES: usize = 256 << 10;
/// From here on a receive waits for the rest of its frame.
const LARGE_BYTES: usize = 64 << 10;

/// Records that follow what is in a connection's output.
#[derive(Clone, Copy)]
pub(super) enum Body {
    Memory,
    Warm,
}

pub(super) struct Connection {
    socket: OwnedFd,
    /// Received are the first `filled` bytes.
    pub input: Vec<u8>,
    pub filled: usize,
    receiving: bool,
    /// The next request waits until a group is written: nothing more is received.
    pub stalled: bool,
    /// Answers that wait for their groups. The slot is not given away before: they would reach another client.
    pub owed: usize,
    closing: bool,
    pub output: Vec<u8>,
    /// What the kernel reads while a send is in flight.
    sending: Vec<u8>,
    sent: usize,
    send_in_flight: bool,
    pub bodies: VecDeque<Body>,
    /// Bytes sent of the body in front; None while the head is on its way.
    body_sent: Option<usize>,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd) -> Connection {
        Connection {
            socket,
            input: vec![0; BUFFER_BYTES],
            filled: 0,
            receiving: false,
            stalled: false,
            owed: 0,
            closing: false,
            output: Vec::new(),
            sending: Vec::new(),
            sent: 0,
            send_in_flight: false,
            bodies: VecDeque::new(),
            body_sent: None,
        }
    }

    /// A receive of what follows, unless one is in flight or the connection stalls.
    pub(super) fn receive(&mut self) -> Result<Option<squeue::Entry>> {
        if self.receiving || self.stalled || self.closing {
            return Ok(None);
        }
        let begun = self.input[..self.filled].first_chunk();
        let whole = begun.map_or(Ok(0), |length| frame_bytes(*length).map(|bytes| 4 + bytes))?;
        if whole > self.input.len() {
            self.input.resize(whole, 0);
        }
        let missing = whole.saturating_sub(self.filled);
        let (room, flags) = if missing > LARGE_BYTES {
            (missing, libc::MSG_WAITALL)
        } else {
            (self.input.len() - self.filled, 0)
        };
        let memory = self.input[self.filled..].as_mut_ptr();
        self.receiving = true;
        let fd = types::Fd(self.socket.as_raw_fd());
        Ok(Some(opcode::Recv::new(fd, memory, u32::try_from(room)?).flags(flags).build()))
    }

    /// Whether something was received: the connection ends where not.
    pub(super) fn received(&mut self, result: i32) -> bool {
        self.receiving = false;
        let Ok(received @ 1..) = usize::try_from(result) else { return false };
        self.filled += received;
        !self.closing
    }

    /// Forgets what has been handled of the input.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.input.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
    }

    /// A send of what waits, output first, then the body that belongs to it; unless one is in flight.
    pub(super) fn send(&mut self, records: &[u8]) -> Result<Option<squeue::Entry>> {
        if self.send_in_flight || self.closing {
            return Ok(None);
        }
        if self.sent == self.sending.len() && self.body_sent.is_none() && !self.output.is_empty() {
            self.sending.clear();
            std::mem::swap(&mut self.output, &mut self.sending);
            self.sent = 0;
        }
        let left = if self.sent < self.sending.len() {
            &self.sending[self.sent..]
        } else if let Some(sent) = self.body_sent {
            &records[sent..]
        } else {
            return Ok(None);
        };
        let flags = if self.body_sent.is_none() && !self.bodies.is_empty() {
            libc::MSG_MORE
        } else {
            libc::MSG_WAITALL
        };
        self.send_in_flight = true;
        let (fd, length) = (types::Fd(self.socket.as_raw_fd()), u32::try_from(left.len())?);
        Ok(Some(opcode::Send::new(fd, left.as_ptr(), length).flags(flags).build()))
    }

    /// Whether something was sent: the connection ends where not.
    pub(super) fn send_done(&mut self, result: i32, served: &Served) -> Result<bool> {
        self.send_in_flight = false;
        let Ok(sent @ 1..) = usize::try_from(result) else { return Ok(false) };
        match &mut self.body_sent {
            Some(body) => *body += sent,
            None => self.sent += sent,
        }
        let records = served.records.len();
        if self.body_sent.is_none() && self.sent == self.sending.len() {
            match self.bodies.pop_front() {
                Some(Body::Memory) => self.body_sent = Some(0),
                Some(Body::Warm) => send_warm(&self.socket, &served.warm, records)?,
                None => {}
            }
        }
        if self.body_sent == Some(records) {
            self.body_sent = None;
        }
        Ok(!self.closing)
    }

    /// Ends what is in flight; true once nothing is, and nothing is owed.
    pub(super) fn close(&mut self) -> bool {
        self.closing = true;
        if self.receiving || self.send_in_flight {
            // A peer that is gone already has ended it too.
            let both = nix::sys::socket::Shutdown::Both;
            nix::sys::socket::shutdown(self.socket.as_raw_fd(), both).ok();
        }
        !self.receiving && !self.send_in_flight && self.owed == 0
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }
}

/// The frame at the front of what was received, without its length, if it is there as a whole.
pub(super) fn frame(received: &[u8]) -> Result<Option<&[u8]>> {
    let Some((length, rest)) = received.split_first_chunk() else { return Ok(None) };
    Ok(rest.get(..frame_bytes(*length)?))
}

/// A frame that no group could hold is not received.
fn frame_bytes(length: [u8; 4]) -> Result<usize> {
    let length = usize::try_from(u32::from_be_bytes(length))?;
    ensure!(
        length <= GROUP_BYTES,
        "a request of {length} bytes: more than a group of {GROUP_BYTES} holds"
    );
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames() {
        for (received, expected) in [
            (&[][..], None),
            (&[0, 0, 0], None),
            (&[0, 0, 0, 2, 7], None),
            (&[0, 0, 0, 2, 7, 8], Some(&[7, 8][..])),
            (&[0, 0, 0, 2, 7, 8, 9], Some(&[7, 8])),
            (&[0, 0, 0, 0], Some(&[])),
        ] {
            assert_eq!(frame(received).unwrap(), expected);
        }
        assert!(frame(&[0xff; 4]).is_err());
    }
}
