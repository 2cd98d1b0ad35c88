//! The machine as `storage` sees it: files, tasks, time and randomness behind one small trait.
//!
//! Two implementations: [`ring`] (the shard's io_uring beside glommio) and [`simulated`] (a seeded machine that
//! tears, loses, reorders and fails). Everything else in this crate is written against the trait, so that what the
//! simulation checks is what runs.
//!
//! What an implementation promises:
//! - A write that was begun is carried out even if its future is dropped; its bytes stay alive as long as the kernel
//!   needs them.
//! - `write_at` returns after *all* bytes were written. With [`Dsync::Yes`] its own bytes (and the length of the file,
//!   where it grew) are on stable storage then; nothing else is.
//! - `fdatasync` covers the writes to that file which had returned when it was called.
//! - Names are durable after `sync_directory` of their directory, not before.
//! - An error from any sync is final; nobody tries again. So it is never one that means a full disk, which is waited out: the kernel
//!   reports a sync that failed for want of room, too, once, and takes what was not written for clean afterwards ([`final_error`]).

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

use crate::planted::{Bug, is};

pub mod looking;
pub mod ring;
pub mod simulated;

/// The unit of direct I/O, of groups, of extents and of drains.
pub const BLOCK: usize = 4096;
/// [`BLOCK`] as a file position.
pub const BLOCK_U64: u64 = 4096;

/// Rounds up to whole blocks.
#[must_use]
pub const fn block_up(length: u64) -> u64 {
    length.div_ceil(BLOCK_U64) * BLOCK_U64
}

/// Rounds down to whole blocks.
#[must_use]
pub const fn block_down(length: u64) -> u64 {
    length / BLOCK_U64 * BLOCK_U64
}

/// Whether a write is on stable storage when it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dsync {
    Yes,
    No,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Through the page cache, for reading; it must exist.
    Read,
    /// Direct, for reading and writing; it must exist.
    Write,
    /// Direct, for reading and writing; created where it is missing, kept where it is there.
    Create,
}

/// What `stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub length: u64,
    pub inode: u64,
    /// Change time in nanoseconds.
    pub changed: i128,
    pub is_directory: bool,
}

/// Who else has a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    No,
    /// Somebody has it open.
    Open,
    /// It has another name, or nobody can tell who has it open.
    Linked,
}

/// See the head of the file.
pub trait Runtime: Clone + 'static {
    /// An open file. Clones share it; it closes with the last.
    type File: Clone + 'static;

    /// Holds the directory against other processes until every write of this one has landed, also after a kill.
    fn lock(&self, directory: &Path) -> impl Future<Output = io::Result<()>>;

    fn open(&self, path: &Path, how: How) -> impl Future<Output = io::Result<Self::File>>;
    /// Up to `length` bytes; fewer only at the end of the file. A direct file wants whole blocks.
    fn read_at(
        &self,
        file: &Self::File,
        position: u64,
        length: usize,
    ) -> impl Future<Output = io::Result<Bytes>>;
    /// Whole blocks at a block's start, out of aligned memory.
    fn write_at(
        &self,
        file: &Self::File,
        bytes: Bytes,
        position: u64,
        dsync: Dsync,
    ) -> impl Future<Output = io::Result<()>> + 'static;
    fn fdatasync(&self, file: &Self::File) -> impl Future<Output = io::Result<()>> + 'static;
    /// Writes back everything of the file system that holds `file`, off the shard. Its own success proves nothing.
    fn syncfs(&self, file: &Self::File) -> impl Future<Output = io::Result<()>>;
    fn sync_directory(&self, directory: &Path) -> impl Future<Output = io::Result<()>>;
    /// Gives `[position, position + length)` blocks; the file grows to its end if `grow`.
    fn fallocate(
        &self,
        file: &Self::File,
        position: u64,
        length: u64,
        grow: bool,
    ) -> impl Future<Output = io::Result<()>>;
    fn truncate(&self, file: &Self::File, length: u64) -> impl Future<Output = io::Result<()>>;
    fn rename(&self, from: &Path, to: &Path) -> impl Future<Output = io::Result<()>>;
    fn unlink(&self, path: &Path) -> impl Future<Output = io::Result<()>>;
    fn remove_directory(&self, path: &Path) -> impl Future<Output = io::Result<()>>;
    /// Succeeds if it is there already.
    fn mkdir(&self, path: &Path) -> impl Future<Output = io::Result<()>>;
    /// Names, in no order.
    fn list(&self, directory: &Path) -> impl Future<Output = io::Result<Vec<String>>>;
    fn stat(&self, path: &Path) -> impl Future<Output = io::Result<Stat>>;
    fn length(&self, file: &Self::File) -> impl Future<Output = io::Result<u64>>;
    /// Whether somebody else has this file, of this process or another.
    fn held(&self, file: &Self::File) -> impl Future<Output = io::Result<Held>>;

    /// Runs a task beside the caller; it lives as long as the executor.
    fn spawn(&self, task: impl Future<Output = ()> + 'static);
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + 'static;
    /// Milliseconds since 1970.
    fn now(&self) -> i64;
    /// Time that never goes back.
    fn monotonic(&self) -> Duration;
    fn random(&self) -> u64;
}

/// Whether there was no room. An operation that failed so has done nothing, and may be tried again.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The error of a sync, as one that nobody waits out.
fn final_error(error: io::Error) -> io::Error {
    if is_full(&error) { io::Error::other(format!("a sync failed: {error}")) } else { error }
}

/// Reads a whole (small) file.
pub(crate) async fn read_file<R: Runtime>(runtime: &R, path: &Path) -> io::Result<Bytes> {
    let file = runtime.open(path, How::Read).await?;
    let length = runtime.length(&file).await?;
    let length = usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let bytes = runtime.read_at(&file, 0, length).await?;
    if bytes.len() == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The name under which [`replace_file`] writes a file.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    PathBuf::from(temporary)
}

/// Writes a file anew, whole: a temporary name, its bytes synced, then renamed. The *name* is durable only after the
/// caller has synced the directory.
pub(crate) async fn replace_file<R: Runtime>(
    runtime: &R,
    path: &Path,
    content: &[u8],
) -> io::Result<()> {
    let temporary = temporary(path);
    write_new_file(runtime, &temporary, content, !is(Bug::ManifestUnsynced)).await?;
    runtime.rename(&temporary, path).await
}

/// Writes a file from its start and cuts it to length; synced if asked.
pub(crate) async fn write_new_file<R: Runtime>(
    runtime: &R,
    path: &Path,
    content: &[u8],
    sync: bool,
) -> io::Result<()> {
    let file = runtime.open(path, How::Create).await?;
    if !content.is_empty() {
        runtime.write_at(&file, crate::buffers::padded(content), 0, Dsync::No).await?;
    }
    runtime.truncate(&file, content.len() as u64).await?;
    if sync {
        runtime.fdatasync(&file).await?;
    }
    Ok(())
}
