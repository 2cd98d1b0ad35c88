//! Operations on open files.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
};

use bytes::Bytes;
use io_uring::{
    opcode,
    types::{Fd, FsyncFlags},
};

use super::length;
use crate::{
    Op, Ring,
    buffer::Aligned,
    completion::{OnDrop, check, count, unit},
    slots::Held,
    writes,
};

impl Ring {
    /// Writes `bytes` at `position`; gives how many were written, which may be fewer. With `dsync` these bytes (and
    /// nothing that was written before them) are on stable storage when it returns.
    ///
    /// For a file opened with `O_DIRECT`, the bytes' address and length and the position are multiples of `ALIGNMENT`.
    pub fn write_at(
        &self,
        file: &Arc<OwnedFd>,
        bytes: Bytes,
        position: u64,
        dsync: bool,
    ) -> Op<io::Result<usize>> {
        writes::begun();
        let entry = opcode::Write::new(Fd(file.as_raw_fd()), bytes.as_ptr(), length(bytes.len()))
            .offset(position)
            .rw_flags(if dsync { libc::RWF_DSYNC } else { 0 })
            .build();
        let held = Held::Write { _fd: Arc::clone(file), _bytes: bytes };
        // SAFETY: the slot owns the bytes, whose memory does not move, and the file.
        unsafe { self.push(entry, held, count, OnDrop::Leave) }
    }

    /// Reads at most `length` bytes at `position` into the beginning of `buffer`, whose length is then what was read:
    /// fewer at the end of the file.
    pub fn read_at(
        &self,
        file: &Arc<OwnedFd>,
        mut buffer: Aligned,
        bytes: usize,
        position: u64,
    ) -> Op<(io::Result<usize>, Aligned)> {
        let bytes = bytes.min(buffer.capacity());
        let entry = opcode::Read::new(Fd(file.as_raw_fd()), buffer.start(), length(bytes))
            .offset(position)
            .build();
        let held = Held::Read { _fd: Arc::clone(file), buffer };
        // SAFETY: the slot owns the buffer, whose memory does not move and has room for `bytes`, and the file.
        unsafe { self.push(entry, held, finish_read, OnDrop::Leave) }
    }

    /// The file's bytes, and what is needed to reach them, are on stable storage when it returns. An error is final: what
    /// was not synced may be lost whatever a second call says.
    pub fn fdatasync(&self, file: &Arc<OwnedFd>) -> Op<io::Result<()>> {
        self.sync(file, FsyncFlags::DATASYNC)
    }

    /// As `fdatasync`, with the file's times; of a directory: its names.
    pub fn fsync(&self, file: &Arc<OwnedFd>) -> Op<io::Result<()>> {
        self.sync(file, FsyncFlags::empty())
    }

    fn sync(&self, file: &Arc<OwnedFd>, flags: FsyncFlags) -> Op<io::Result<()>> {
        let entry = opcode::Fsync::new(Fd(file.as_raw_fd())).flags(flags).build();
        // SAFETY: it points to nothing; the slot owns the file.
        unsafe { self.push(entry, Held::Descriptor { _fd: Arc::clone(file) }, unit, OnDrop::Leave) }
    }

    /// Allocates blocks; `mode` is that of fallocate(2).
    pub fn fallocate(
        &self,
        file: &Arc<OwnedFd>,
        mode: i32,
        position: u64,
        length: u64,
    ) -> Op<io::Result<()>> {
        let entry = opcode::Fallocate::new(Fd(file.as_raw_fd()), length)
            .offset(position)
            .mode(mode)
            .build();
        // SAFETY: it points to nothing; the slot owns the file.
        unsafe { self.push(entry, Held::Descriptor { _fd: Arc::clone(file) }, unit, OnDrop::Leave) }
    }

    pub fn ftruncate(&self, file: &Arc<OwnedFd>, length: u64) -> Op<io::Result<()>> {
        let entry = opcode::Ftruncate::new(Fd(file.as_raw_fd()), length).build();
        // SAFETY: it points to nothing; the slot owns the file.
        unsafe { self.push(entry, Held::Descriptor { _fd: Arc::clone(file) }, unit, OnDrop::Leave) }
    }

    /// Moves bytes between a pipe and a file or socket without copying them. A position of `None` is for pipes and
    /// sockets. Runs on a kernel thread: it never blocks the shard, and costs more than `sendfile`.
    pub fn splice(
        &self,
        from: (&Arc<OwnedFd>, Option<u64>),
        to: (&Arc<OwnedFd>, Option<u64>),
        bytes: usize,
        flags: u32,
    ) -> Op<io::Result<usize>> {
        let position =
            |position: Option<u64>| position.map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX));
        let entry = opcode::Splice::new(
            Fd(from.0.as_raw_fd()),
            position(from.1),
            Fd(to.0.as_raw_fd()),
            position(to.1),
            length(bytes),
        )
        .flags(flags)
        .build();
        let held = Held::Descriptors { _fds: [Arc::clone(from.0), Arc::clone(to.0)] };
        // SAFETY: it points to nothing; the slot owns both descriptors.
        unsafe { self.push(entry, held, count, OnDrop::Leave) }
    }

    /// Closes a descriptor off the shard, if nobody else has it; else only lets go of it.
    pub fn close_file(&self, file: Arc<OwnedFd>) -> Option<Op<io::Result<()>>> {
        use std::os::fd::IntoRawFd;
        let file = Arc::into_inner(file)?;
        let entry = opcode::Close::new(Fd(file.into_raw_fd())).build();
        // SAFETY: it points to nothing; the descriptor is no longer ours, the operation closes it.
        Some(unsafe { self.push(entry, Held::Nothing, unit, OnDrop::Leave) })
    }
}

fn finish_read(result: i32, held: Held) -> (io::Result<usize>, Aligned) {
    let Held::Read { mut buffer, .. } = held else { unreachable!("a read holds its buffer") };
    let read = check(result).map(|count| count as usize);
    // SAFETY: the kernel has written that many bytes from the beginning of the buffer.
    unsafe { buffer.set_len(*read.as_ref().unwrap_or(&0)) };
    (read, buffer)
}
