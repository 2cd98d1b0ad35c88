//! Group commit: batches are copied into one buffer while the other is being written.
//!
//! A group begins on a fresh block with a header; every batch is stamped with its offset as it is copied and has a small
//! entry header before it. The file was written once before, is opened for direct I/O, and is used round and round.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    fs::{File, OpenOptions},
    os::{
        fd::AsRawFd as _,
        unix::fs::{FileExt as _, OpenOptionsExt as _},
    },
    path::Path,
    ptr::NonNull,
};

use anyhow::{Result, ensure};
use io_uring::{opcode, squeue, types};

const BLOCK: usize = 4096;
pub(super) const GROUP_BYTES: usize = 4 << 20;
const FILE_BYTES: u64 = 256 << 20;
const GROUP_HEADER_BYTES: usize = 64;
const ENTRY_HEADER_BYTES: usize = 64;

/// Memory for direct I/O.
struct Aligned {
    memory: NonNull<u8>,
    layout: Layout,
    filled: usize,
}

impl Aligned {
    fn new(bytes: usize) -> Result<Aligned> {
        let layout = Layout::from_size_align(bytes, BLOCK)?;
        // SAFETY: the layout's size is not 0.
        let memory = unsafe { alloc_zeroed(layout) };
        let Some(memory) = NonNull::new(memory) else { handle_alloc_error(layout) };
        Ok(Aligned { memory, layout, filled: 0 })
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the memory is ours, initialised, and of this size; `&mut self` makes this its only reference.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_ptr(), self.layout.size()) }
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) }
    }
}

pub(super) struct Log {
    file: File,
    position: u64,
    filling: Aligned,
    writing: Aligned,
    in_flight: bool,
    next_offset: i64,
}

impl Log {
    pub(super) fn open(directory: &Path) -> Result<Log> {
        let path = directory.join("log");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .custom_flags(libc::O_DIRECT)
            .open(path)?;
        let mut zeroes = Aligned::new(1 << 20)?;
        for position in (0..FILE_BYTES).step_by(1 << 20) {
            file.write_all_at(zeroes.bytes(), position)?;
        }
        file.sync_all()?;
        let (filling, writing) = (Aligned::new(GROUP_BYTES)?, Aligned::new(GROUP_BYTES)?);
        Ok(Log { file, position: 0, filling, writing, in_flight: false, next_offset: 0 })
    }

    /// Whether all batches of a request have room in the group that is being filled; else they wait until it is being written.
    pub(super) fn fits(&self, batches: usize, bytes: usize) -> Result<bool> {
        let needed = batches * ENTRY_HEADER_BYTES + bytes;
        ensure!(
            GROUP_HEADER_BYTES + needed <= GROUP_BYTES,
            "a request of {batches} batches and {bytes} bytes: more than a group of {GROUP_BYTES} holds"
        );
        Ok(self.filling.filled.max(GROUP_HEADER_BYTES) + needed <= GROUP_BYTES)
    }

    /// Copies a batch, which `fits`, into the group that is being filled; its offset.
    pub(super) fn append(&mut self, batch: &[u8]) -> i64 {
        let from = self.filling.filled.max(GROUP_HEADER_BYTES);
        let at = from + ENTRY_HEADER_BYTES;
        let end = at + batch.len();
        let offset = self.next_offset;
        let buffer = self.filling.bytes();
        buffer[from..at].fill(0);
        buffer[at..end].copy_from_slice(batch);
        buffer[at..at + 8].copy_from_slice(&offset.to_be_bytes());
        buffer[at + 12..at + 16].copy_from_slice(&0i32.to_be_bytes());
        self.filling.filled = end;
        self.next_offset += 1;
        offset
    }

    /// The write of what was filled, unless a group is in flight or there is nothing.
    pub(super) fn commit(&mut self) -> Result<Option<squeue::Entry>> {
        if self.in_flight || self.filling.filled == 0 {
            return Ok(None);
        }
        std::mem::swap(&mut self.filling, &mut self.writing);
        self.filling.filled = 0;
        let filled = self.writing.filled;
        let length = filled.next_multiple_of(BLOCK);
        self.writing.bytes()[filled..length].fill(0);
        if self.position + length as u64 > FILE_BYTES {
            self.position = 0;
        }
        self.in_flight = true;
        let memory = self.writing.memory.as_ptr();
        let write =
            opcode::Write::new(types::Fd(self.file.as_raw_fd()), memory, u32::try_from(length)?)
                .offset(self.position)
                .rw_flags(libc::RWF_DSYNC);
        self.position += length as u64;
        Ok(Some(write.build()))
    }

    /// The group in flight is on stable storage.
    pub(super) fn committed(&mut self, result: i32) -> Result<()> {
        let length = self.writing.filled.next_multiple_of(BLOCK);
        ensure!(
            usize::try_from(result).is_ok_and(|written| written == length),
            "a write of {length} bytes answered {result}"
        );
        self.in_flight = false;
        Ok(())
    }
}
