//! The drive as a file system of one file, `/drive`.
//!
//! The file is opened for direct I/O, so the kernel caches nothing of it: every write of the loop device comes here when it is made, and
//! a flush of the loop device comes as fsync. Requests are served one at a time, in the order in which the kernel hands them over.

use std::{
    ffi::OsStr,
    io,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, UNIX_EPOCH},
};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request,
    WriteFlags,
};

use crate::drive::{Drive, Off, Request as DriveRequest, SECTOR};

pub const FILE: &str = "drive";
const FILE_NODE: INodeNo = INodeNo(2);
const TTL: Duration = Duration::from_secs(3600);

pub type Shared = Arc<Mutex<Drive>>;

pub struct Layer {
    pub drive: Shared,
    /// How long a flush takes. What was written before it is volatile until then.
    pub flush: Duration,
}

/// A thread that panicked has left the drive as no drive is: nothing more is served.
pub(crate) fn lock(drive: &Shared) -> MutexGuard<'_, Drive> {
    match drive.lock() {
        Ok(drive) => drive,
        Err(_) => std::process::abort(),
    }
}

impl Layer {
    fn drive(&self) -> MutexGuard<'_, Drive> {
        lock(&self.drive)
    }

    /// A drive that serves one request after another is slow for all of them.
    #[expect(clippy::disallowed_methods, reason = "a drive that is slow; no shard")]
    fn stall(&self, request: DriveRequest) {
        let stall = self.drive().stall(request);
        if let Some(time) = stall {
            thread::sleep(time);
        }
    }

    fn attributes(&self, node: INodeNo) -> FileAttr {
        let root = node == INodeNo::ROOT;
        let size = if root { 0 } else { self.drive().len() };
        FileAttr {
            ino: node,
            size,
            blocks: size / SECTOR as u64,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if root { FileType::Directory } else { FileType::RegularFile },
            perm: if root { 0o700 } else { 0o600 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

/// A drive that is off answers EIO; so does one whose image fails, which ends the harness at its next look.
fn answered<T>(done: io::Result<Result<T, Off>>) -> Result<T, Errno> {
    match done {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Off)) => Err(Errno::EIO),
        Err(error) => {
            eprintln!("powercut: the image: {error}");
            Err(Errno::EIO)
        }
    }
}

impl Filesystem for Layer {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if parent == INodeNo::ROOT && name == FILE {
            reply.entry(&TTL, &self.attributes(FILE_NODE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &self.attributes(node));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.stall(DriveRequest::Read);
        match answered(self.drive().read(offset, size as usize)) {
            Ok(data) => reply.data(&data),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        if !offset.is_multiple_of(SECTOR as u64) || !data.len().is_multiple_of(SECTOR) {
            return reply.error(Errno::EINVAL);
        }
        self.stall(DriveRequest::Write);
        match answered(self.drive().write(offset, data)) {
            Ok(()) => reply.written(length),
            Err(error) => reply.error(error),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a drive that is slow; no shard")]
    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        thread::sleep(self.flush);
        self.stall(DriveRequest::Flush);
        match answered(self.drive().flush()) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    /// What `close` calls: no flush of a drive.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    /// A discard or a write of zeroes. Refused: the file system then writes its zeroes, as to a drive without that command.
    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: u64,
        _: u64,
        _: i32,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::EOPNOTSUPP);
    }
}
