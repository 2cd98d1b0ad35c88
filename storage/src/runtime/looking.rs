//! The machine for who only looks: files are read with plain blocking calls, on any thread, and whatever would change something
//! fails. Futures are ready when they are first polled.

use std::fs::File as StdFile;
use std::future::Future;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::{Dsync, Held, How, Runtime, Stat};

/// See the head of the file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Looking;

fn refused<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "who looks changes nothing"))
}

impl Runtime for Looking {
    type File = Rc<StdFile>;

    async fn lock(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    async fn open(&self, path: &Path, _: How) -> io::Result<Self::File> {
        StdFile::open(path).map(Rc::new)
    }

    async fn read_at(&self, file: &Self::File, position: u64, length: usize) -> io::Result<Bytes> {
        let left = file.metadata()?.len().saturating_sub(position);
        let mut bytes = vec![0; length.min(usize::try_from(left).unwrap_or(usize::MAX))];
        file.read_exact_at(&mut bytes, position)?;
        Ok(bytes.into())
    }

    fn write_at(
        &self,
        _: &Self::File,
        _: Bytes,
        _: u64,
        _: Dsync,
    ) -> impl Future<Output = io::Result<()>> + 'static {
        std::future::ready(refused())
    }

    fn fdatasync(&self, _: &Self::File) -> impl Future<Output = io::Result<()>> + 'static {
        std::future::ready(refused())
    }

    async fn syncfs(&self, _: &Self::File) -> io::Result<()> {
        refused()
    }

    async fn sync_directory(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    async fn fallocate(&self, _: &Self::File, _: u64, _: u64, _: bool) -> io::Result<()> {
        refused()
    }

    async fn truncate(&self, _: &Self::File, _: u64) -> io::Result<()> {
        refused()
    }

    async fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }

    async fn unlink(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    async fn remove_directory(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    async fn mkdir(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    async fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(directory)?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    async fn stat(&self, path: &Path) -> io::Result<Stat> {
        let metadata = std::fs::metadata(path)?;
        Ok(Stat {
            length: metadata.len(),
            inode: metadata.ino(),
            changed: i128::from(metadata.ctime()) * 1_000_000_000
                + i128::from(metadata.ctime_nsec()),
            is_directory: metadata.is_dir(),
        })
    }

    async fn length(&self, file: &Self::File) -> io::Result<u64> {
        Ok(file.metadata()?.len())
    }

    async fn held(&self, _: &Self::File) -> io::Result<Held> {
        Ok(Held::Linked)
    }

    /// What never runs changes nothing either.
    fn spawn(&self, _: impl Future<Output = ()> + 'static) {}

    fn sleep(&self, _: Duration) -> impl Future<Output = ()> + 'static {
        std::future::pending()
    }

    fn now(&self) -> i64 {
        0
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&self) -> u64 {
        0
    }
}
