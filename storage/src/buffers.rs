//! Memory for what is written directly: slabs, which groups share and extents share, and their reuse.
//!
//! Fresh memory costs a page fault per 4 KiB: 0.15 CPU-seconds per GiB, and up to 2 in a virtual machine whose host has to
//! find the pages first. So all slabs are of one size and are used again, for whatever comes next, once no slice of them is left. They
//! come back in about the order in which they were filled, since the tail is given back in that order.

use std::collections::VecDeque;

use bytes::Bytes;
use ring::buffer::{Aligned, AppendBuffer};

use crate::runtime::BLOCK;

/// A slab holds a few groups of full size, or a few extents of a MiB.
pub(crate) const SLAB_BYTES: usize = 4 << 20;

/// Retired slabs that are looked at for each new one.
const LOOK_AT: usize = 4;

/// Retired slabs that wait until their last slice is gone.
pub(crate) struct Slabs {
    slab_bytes: usize,
    retired: VecDeque<AppendBuffer>,
    /// More than that are let go.
    retired_max: usize,
}

impl Slabs {
    /// Slabs of `slab_bytes`, of which about `kept_bytes` are kept.
    pub(crate) fn new(slab_bytes: usize, kept_bytes: usize) -> Self {
        Slabs { slab_bytes, retired: VecDeque::new(), retired_max: kept_bytes / slab_bytes + 2 }
    }

    /// An empty slab, or, for what does not fit into one, memory of its own.
    pub(crate) fn take(&mut self, least: usize) -> AppendBuffer {
        if least > self.slab_bytes {
            return AppendBuffer::new(least);
        }
        // The oldest that nobody reads any more; while the first few are read, so are, most likely, the younger ones.
        let free = self.retired.iter().take(LOOK_AT).position(AppendBuffer::is_alone);
        let slab = free.and_then(|index| self.retired.remove(index)).map(AppendBuffer::reset);
        match slab {
            Some(Ok(slab)) => slab,
            Some(Err(_)) | None => AppendBuffer::new(self.slab_bytes),
        }
    }

    /// Takes a buffer to which nothing is appended any more.
    pub(crate) fn retire(&mut self, buffer: AppendBuffer) {
        if buffer.capacity() != self.slab_bytes {
            return;
        }
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
