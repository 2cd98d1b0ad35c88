//! The real machine: every file operation through the shard's io_uring, tasks and timers by glommio.
//!
//! This is the only place in `storage` that names glommio.
//!
//! Not obvious:
//! - The directory's lock lives in the ring ([`ring::Ring::hold_file`]): after `kill -9` the writes of a ring go on landing for
//!   seconds, and the lock is free only when the last one has. So every write of this crate goes through a ring that
//!   holds it.
//! - `syncfs` and listing a directory have no io_uring operation: they run on glommio's blocking thread. What that thread has done glommio
//!   sees only when its loop turns, some milliseconds later while the shard waits in its ring: so it wakes the ring itself.

use std::fs::OpenOptions;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::channel::oneshot;
use nix::fcntl::{FallocateFlags, OFlag};
use ring::Ring;
use ring::buffer::Aligned;
use ring::op::{At, now};

use super::{BLOCK, Dsync, Held, How, Runtime, Stat, final_error};

/// Bytes that one operation carries; the kernel takes at most 2 GiB at once.
const PIECE: usize = 1 << 30;

/// An open file; clones share it.
#[derive(Clone, Debug)]
pub struct File(Arc<OwnedFd>);

impl File {
    /// For a read plan that is carried out elsewhere.
    #[must_use]
    pub fn descriptor(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.0)
    }
}

/// The lock of a log directory, taken once per process; each shard's ring holds it. Runtimes only know of it: a task that is left over
/// when a shard ends does not keep the directory.
#[derive(Clone, Debug)]
pub struct DirectoryLock {
    directory: PathBuf,
    file: Arc<OwnedFd>,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{0} is in use by another process: stop it, or name another directory in log.dirs")]
    Held(PathBuf),
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] io::Error),
}

impl DirectoryLock {
    /// Takes the lock, waiting up to ten seconds for the writes of a process that was killed. Blocks: call it before the
    /// shards start. It excludes Kafka too, whose own lock is on the same file.
    pub fn acquire(directory: &Path) -> Result<DirectoryLock, LockError> {
        let path = directory.join(".lock");
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file: OwnedFd = file.map_err(|error| LockError::Io(path.clone(), error))?.into();
        for _ in 0..100 {
            match try_lock(&file) {
                Ok(()) => {
                    return Ok(DirectoryLock {
                        directory: directory.to_owned(),
                        file: Arc::new(file),
                    });
                }
                Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => wait(),
                Err(error) => return Err(LockError::Io(path, error.into())),
            }
        }
        Err(LockError::Held(directory.to_owned()))
    }
}

#[expect(clippy::disallowed_methods, reason = "before any shard runs")]
fn wait() {
    std::thread::sleep(Duration::from_millis(100));
}

/// A lock of the open file description: it lives as long as any descriptor or ring refers to that, and it conflicts with
/// the locks that Java takes.
fn try_lock(file: &OwnedFd) -> Result<(), nix::errno::Errno> {
    let whole = libc::flock {
        l_type: libc::c_short::try_from(libc::F_WRLCK).unwrap_or(1),
        l_whence: libc::c_short::try_from(libc::SEEK_SET).unwrap_or(0),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_OFD_SETLK(&whole)).map(|_| ())
}

/// The runtime of one shard. Clones are the same.
#[derive(Clone)]
pub struct RingRuntime {
    ring: Ring,
    lock: Option<(PathBuf, Weak<OwnedFd>)>,
}

impl RingRuntime {
    /// On the shard's thread, inside its glommio executor.
    #[must_use]
    pub fn new(ring: Ring, lock: &DirectoryLock) -> Self {
        RingRuntime { ring, lock: Some((lock.directory.clone(), Arc::downgrade(&lock.file))) }
    }

    /// For a directory that nobody else can know of: tests and measurements.
    #[must_use]
    pub fn without_lock(ring: Ring) -> Self {
        RingRuntime { ring, lock: None }
    }

    /// Runs what blocks on another thread.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (sender, mut receiver) = oneshot::channel();
        let wake = self.ring.wake_handle();
        let working = glommio::executor().spawn_blocking(move || {
            // Nobody waits any more, if it fails.
            let _ = sender.send(work());
            wake.wake();
        });
        glommio::spawn_local(working).detach();
        let done = poll_fn(|cx| {
            self.ring.on_wake(cx.waker());
            receiver.poll_unpin(cx)
        });
        done.await.unwrap_or_else(|_| Err(io::Error::other("the thread for what blocks has ended")))
    }
}

impl Runtime for RingRuntime {
    type File = File;

    async fn lock(&self, directory: &Path) -> io::Result<()> {
        let Some((locked, file)) = &self.lock else { return Ok(()) };
        if locked != directory {
            return Err(io::Error::other("the lock is another directory's"));
        }
        let file = file.upgrade().ok_or_else(|| io::Error::other("the lock was let go"))?;
        self.ring.hold_file(file.try_clone()?)?;
        Ok(())
    }

    async fn open(&self, path: &Path, how: How) -> io::Result<File> {
        let flags = match how {
            How::Read => OFlag::O_RDONLY,
            How::Write => OFlag::O_RDWR | OFlag::O_DIRECT,
            How::Create => OFlag::O_RDWR | OFlag::O_DIRECT | OFlag::O_CREAT,
        };
        let fd = self.ring.openat(At::WorkingDirectory, path, flags.bits(), 0o644)?.await?;
        Ok(File(Arc::new(fd)))
    }

    async fn read_at(&self, file: &File, position: u64, length: usize) -> io::Result<Bytes> {
        let mut whole: Option<Aligned> = None;
        let mut have = 0;
        while have < length {
            let want = (length - have).min(PIECE);
            let buffer = Aligned::with_capacity(want.next_multiple_of(BLOCK));
            let (read, buffer) =
                self.ring.read_at(&file.0, buffer, want, position + have as u64).await;
            let read = read?;
            if have == 0 && (read == length || read < want) {
                return Ok(buffer.freeze(..read));
            }
            let all = whole.get_or_insert_with(|| Aligned::with_capacity(length));
            all.extend_from_slice(&buffer[..read]);
            have += read;
            if read < want {
                break;
            }
        }
        Ok(whole.map_or_else(Bytes::new, |all| all.freeze(..)))
    }

    fn write_at(
        &self,
        file: &File,
        bytes: Bytes,
        position: u64,
        dsync: Dsync,
    ) -> impl Future<Output = io::Result<()>> + 'static {
        let dsync = dsync == Dsync::Yes;
        let (ring, file) = (self.ring.clone(), file.0.clone());
        // Begun at the call, not at the first poll.
        let first = ring.write_at(&file, bytes.clone(), position, dsync);
        async move {
            let mut written = first.await?;
            while written < bytes.len() {
                // A short direct write ends at a block; what is left is carried on from there.
                written = written / BLOCK * BLOCK;
                let rest = bytes.slice(written..);
                let more = ring.write_at(&file, rest, position + written as u64, dsync).await?;
                if more == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                written += more;
            }
            Ok(())
        }
    }

    fn fdatasync(&self, file: &File) -> impl Future<Output = io::Result<()>> + 'static {
        let synced = self.ring.fdatasync(&file.0);
        async move { synced.await.map_err(final_error) }
    }

    async fn syncfs(&self, file: &File) -> io::Result<()> {
        let file = file.descriptor();
        let synced = self.blocking(move || Ok(nix::unistd::syncfs(&*file)?)).await;
        synced.map_err(final_error)
    }

    async fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let flags = (OFlag::O_RDONLY | OFlag::O_DIRECTORY).bits();
        let fd = Arc::new(self.ring.openat(At::WorkingDirectory, directory, flags, 0)?.await?);
        self.ring.fsync(&fd).await.map_err(final_error)
    }

    async fn fallocate(
        &self,
        file: &File,
        position: u64,
        length: u64,
        grow: bool,
    ) -> io::Result<()> {
        let mode = if grow { 0 } else { FallocateFlags::FALLOC_FL_KEEP_SIZE.bits() };
        self.ring.fallocate(&file.0, mode, position, length).await
    }

    async fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        self.ring.ftruncate(&file.0, length).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ring.renameat((At::WorkingDirectory, from), (At::WorkingDirectory, to), 0)?.await
    }

    async fn unlink(&self, path: &Path) -> io::Result<()> {
        self.ring.unlinkat(At::WorkingDirectory, path, 0)?.await
    }

    async fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.ring.unlinkat(At::WorkingDirectory, path, libc::AT_REMOVEDIR)?.await
    }

    async fn mkdir(&self, path: &Path) -> io::Result<()> {
        match self.ring.mkdirat(At::WorkingDirectory, path, 0o755)?.await {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    async fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let directory = directory.to_owned();
        self.blocking(move || {
            std::fs::read_dir(directory)?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect()
        })
        .await
    }

    async fn stat(&self, path: &Path) -> io::Result<Stat> {
        let status = self.ring.statx(At::WorkingDirectory, path)?.await?;
        Ok(Stat {
            length: status.len,
            inode: status.inode,
            changed: i128::try_from(status.changed.as_nanos()).unwrap_or(0),
            is_directory: status.is_directory,
        })
    }

    async fn length(&self, file: &File) -> io::Result<u64> {
        Ok(self.ring.fstat(&file.0).await?.len)
    }

    async fn held(&self, file: &File) -> io::Result<Held> {
        if Arc::strong_count(&file.0) > 1 {
            return Ok(Held::Open);
        }
        if nix::sys::stat::fstat(&*file.0)?.st_nlink != 1 {
            return Ok(Held::Linked);
        }
        Ok(match now::is_open_elsewhere(&file.0) {
            Ok(false) => Held::No,
            Ok(true) => Held::Open,
            // Not a local file system, or the file is another user's.
            Err(_) => Held::Linked,
        })
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        glommio::spawn_local(task).detach();
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + 'static {
        glommio::timer::sleep(time)
    }

    #[expect(clippy::disallowed_methods, reason = "this is where the clock comes from")]
    fn now(&self) -> i64 {
        let since =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn monotonic(&self) -> Duration {
        nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
            .map_or(Duration::ZERO, Duration::from)
    }

    fn random(&self) -> u64 {
        rand::random()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0.as_raw_fd()
    }
}
