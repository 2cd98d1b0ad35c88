//! `Growing`: memory for bytes whose number is announced before they arrive.
//!
//! It grows as they come. The allocator moves large blocks by remapping their pages, so that growing copies nothing.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

#[derive(Debug, Default)]
pub struct Growing {
    bytes: Vec<u8>,
}

impl Growing {
    /// A copy of `bytes`, and no more memory than that.
    pub fn copy_of(bytes: &[u8]) -> Growing {
        Growing { bytes: bytes.to_vec() }
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Makes room for `capacity` bytes in total.
    pub fn grow(&mut self, capacity: usize) {
        self.bytes.reserve_exact(capacity.saturating_sub(self.bytes.len()));
    }

    /// Receives at most `max` bytes, and no more than there is room for, without waiting (`recv(2)`): `Ok(0)` is the peer's
    /// end of the stream.
    pub fn receive_now(&mut self, socket: impl AsFd, max: usize) -> io::Result<usize> {
        let spare = self.bytes.spare_capacity_mut();
        let max = max.min(spare.len());
        let socket = socket.as_fd().as_raw_fd();
        // SAFETY: `spare` has room for `max` bytes, and is ours alone.
        let received =
            unsafe { libc::recv(socket, spare.as_mut_ptr().cast(), max, libc::MSG_DONTWAIT) };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        // SAFETY: the kernel has written that many bytes behind the first `len`.
        unsafe { self.bytes.set_len(self.bytes.len() + received) };
        Ok(received)
    }

    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }
}
