//! Memory for what is written directly: arenas that groups share, buffers of extents, and their reuse.
//!
//! Fresh memory costs a page fault per 4 KiB (about 0.15 CPU-seconds per GiB), so buffers are used again once no slice of
//! them is left. They come back in about the order in which they were filled, since the tail is given back in that order.

use std::collections::VecDeque;

use bytes::Bytes;
use ring::buffer::{Aligned, AppendBuffer};

use crate::runtime::BLOCK;

/// Retired buffers that are looked at for each new one.
const LOOK_AT: usize = 4;

/// Buffers of about one size that wait until their last slice is gone.
pub(crate) struct Pool {
    retired: VecDeque<AppendBuffer>,
    /// More than that are let go.
    retired_max: usize,
}

impl Pool {
    pub(crate) fn new(retired_max: usize) -> Self {
        Pool { retired: VecDeque::new(), retired_max }
    }

    /// An empty buffer of at least `capacity` bytes, at most twice that if it is used again.
    pub(crate) fn take(&mut self, capacity: usize) -> AppendBuffer {
        for _ in 0..LOOK_AT.min(self.retired.len()) {
            let Some(buffer) = self.retired.pop_front() else { break };
            if buffer.capacity() < capacity || buffer.capacity() > 2 * capacity {
                self.retired.push_back(buffer);
                continue;
            }
            match buffer.reset() {
                Ok(buffer) => return buffer,
                Err(buffer) => {
                    // The oldest is still being read: so are, most likely, the younger ones.
                    self.retired.push_front(buffer);
                    break;
                }
            }
        }
        AppendBuffer::new(capacity)
    }

    /// Takes a buffer to which nothing is appended any more.
    pub(crate) fn retire(&mut self, buffer: AppendBuffer) {
        self.retired.push_back(buffer);
        if self.retired.len() > self.retired_max {
            self.retired.pop_front();
        }
    }
}

/// A copy of `content` in aligned memory, filled up with zeros to whole blocks.
pub(crate) fn padded(content: &[u8]) -> Bytes {
    let mut aligned = Aligned::with_capacity(content.len().next_multiple_of(BLOCK));
    aligned.extend_from_slice(content);
    aligned.pad_to(content.len().next_multiple_of(BLOCK));
    aligned.freeze(..)
}
