//! Operations on names: open, rename, unlink, make a directory, ask for a status.

use std::{
    ffi::CString,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    sync::Arc,
};

use io_uring::{opcode, types::Fd};

use super::{FileStatus, Status};
use crate::{
    Op, Ring,
    completion::{OnDrop, check, unit},
    slots::Held,
};

/// Where a relative name is looked up.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    WorkingDirectory,
    Directory(&'a Arc<OwnedFd>),
}

impl At<'_> {
    fn fd(self) -> Fd {
        match self {
            At::WorkingDirectory => Fd(libc::AT_FDCWD),
            At::Directory(directory) => Fd(directory.as_raw_fd()),
        }
    }

    fn held(self) -> Option<Arc<OwnedFd>> {
        match self {
            At::WorkingDirectory => None,
            At::Directory(directory) => Some(Arc::clone(directory)),
        }
    }
}

fn c_string(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

impl Ring {
    /// Opens a file; `flags` and `mode` are those of openat(2), `O_CLOEXEC` is added. Fails at once only for a name with
    /// a zero byte.
    pub fn openat(
        &self,
        at: At<'_>,
        path: &Path,
        flags: i32,
        mode: u32,
    ) -> io::Result<Op<io::Result<OwnedFd>>> {
        let path = c_string(path)?;
        let entry = opcode::OpenAt::new(at.fd(), path.as_ptr())
            .flags(flags | libc::O_CLOEXEC)
            .mode(mode)
            .build();
        let held = Held::Open { _directory: at.held(), _path: path };
        // SAFETY: the slot owns the name, whose memory does not move, and the directory.
        Ok(unsafe { self.push(entry, held, finish_open, OnDrop::Leave) })
    }

    /// Removes a name; `flags` may be `AT_REMOVEDIR`.
    pub fn unlinkat(&self, at: At<'_>, path: &Path, flags: i32) -> io::Result<Op<io::Result<()>>> {
        let path = c_string(path)?;
        let entry = opcode::UnlinkAt::new(at.fd(), path.as_ptr()).flags(flags).build();
        let held = Held::Path { _directory: at.held(), _path: path };
        // SAFETY: the slot owns the name, whose memory does not move, and the directory.
        Ok(unsafe { self.push(entry, held, unit, OnDrop::Leave) })
    }

    /// Renames; `flags` are those of renameat2(2).
    pub fn renameat(
        &self,
        from: (At<'_>, &Path),
        to: (At<'_>, &Path),
        flags: u32,
    ) -> io::Result<Op<io::Result<()>>> {
        let paths = [c_string(from.1)?, c_string(to.1)?];
        let entry =
            opcode::RenameAt::new(from.0.fd(), paths[0].as_ptr(), to.0.fd(), paths[1].as_ptr())
                .flags(flags)
                .build();
        let held = Held::Paths { _directories: [from.0.held(), to.0.held()], _paths: paths };
        // SAFETY: the slot owns both names, whose memory does not move, and the directories.
        Ok(unsafe { self.push(entry, held, unit, OnDrop::Leave) })
    }

    pub fn mkdirat(&self, at: At<'_>, path: &Path, mode: u32) -> io::Result<Op<io::Result<()>>> {
        let path = c_string(path)?;
        let entry = opcode::MkDirAt::new(at.fd(), path.as_ptr()).mode(mode).build();
        let held = Held::Path { _directory: at.held(), _path: path };
        // SAFETY: the slot owns the name, whose memory does not move, and the directory.
        Ok(unsafe { self.push(entry, held, unit, OnDrop::Leave) })
    }

    /// Status of a name.
    pub fn statx(&self, at: At<'_>, path: &Path) -> io::Result<Op<io::Result<FileStatus>>> {
        Ok(self.push_statx(at.fd(), at.held(), c_string(path)?, 0))
    }

    /// Status of an open file.
    pub fn fstat(&self, file: &Arc<OwnedFd>) -> Op<io::Result<FileStatus>> {
        self.push_statx(
            Fd(file.as_raw_fd()),
            Some(Arc::clone(file)),
            CString::default(),
            libc::AT_EMPTY_PATH,
        )
    }

    fn push_statx(
        &self,
        fd: Fd,
        held: Option<Arc<OwnedFd>>,
        path: CString,
        flags: i32,
    ) -> Op<io::Result<FileStatus>> {
        let mut status = Box::new(Status(MaybeUninit::uninit()));
        let entry = opcode::Statx::new(fd, path.as_ptr(), status.0.as_mut_ptr().cast())
            .flags(flags)
            .mask(libc::STATX_BASIC_STATS)
            .build();
        let held = Held::Status { _directory: held, _path: path, status };
        // SAFETY: the slot owns the name and the status, whose memory does not move, and the directory or file.
        unsafe { self.push(entry, held, finish_statx, OnDrop::Leave) }
    }
}

fn finish_open(result: i32, held: Held) -> io::Result<OwnedFd> {
    drop(held);
    check(result)?;
    // SAFETY: a successful open gives a new descriptor, which is nobody's yet.
    Ok(unsafe { OwnedFd::from_raw_fd(result) })
}

fn finish_statx(result: i32, held: Held) -> io::Result<FileStatus> {
    let Held::Status { status, .. } = held else { unreachable!("statx holds its status") };
    check(result)?;
    // SAFETY: statx has succeeded.
    Ok(unsafe { status.read() })
}
