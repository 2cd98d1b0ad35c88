//! A seeded machine: one scheduler that orders every await, timer and completion, over a disk with a volatile cache.
//!
//! A test makes one [`Disk`], and for each life of the process one [`Simulated`] on it, runs it for some number of steps
//! and then ends that life by [`Simulated::kill`] (the page cache and the drive's cache survive; writes in flight land
//! whole, in part, not at all, or *late*, into the next life) or by [`Simulated::power_cut`] (what no sync covers is kept or
//! lost sector by sector). The same seed gives the same run.
//!
//! Read in this order: [`disk`] (what a file and a directory are, and what a crash leaves of them), `scheduler`
//! (tasks, completions, time), this file (the trait over both).

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use rand::Rng;

pub mod disk;
mod fault;
mod node;
mod scheduler;

use super::{BLOCK, Dsync, Held, How, Runtime, Stat, final_error};
use crate::planted::{Bug, is};
pub use disk::{Disk, Faults};
use disk::{Inode, Operation, Output};
pub use fault::{Class, Fault, Injection};
pub use scheduler::Simulated;

/// A file of the simulated disk.
#[derive(Clone, Debug)]
pub struct SimulatedFile {
    inode: Inode,
    /// One for all who have it open in this life.
    opened: Rc<()>,
    direct: bool,
    writable: bool,
}

/// Where an operation leaves its result for the task that waits for it.
#[derive(Clone, Default)]
struct Slot(Rc<RefCell<SlotState>>);

#[derive(Default)]
struct SlotState {
    result: Option<io::Result<Output>>,
    waker: Option<Waker>,
}

impl Slot {
    fn complete(&self, result: io::Result<Output>) {
        let mut state = self.0.borrow_mut();
        state.result = Some(result);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

/// The await of one operation. The operation itself was begun when this was made.
struct Pending(Slot);

impl Future for Pending {
    type Output = io::Result<Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.0.borrow_mut();
        match state.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn unexpected(output: &Output) -> io::Error {
    io::Error::other(format!("simulated operation answered {output:?}"))
}

fn unit(result: io::Result<Output>) -> io::Result<()> {
    match result? {
        Output::Unit => Ok(()),
        other => Err(unexpected(&other)),
    }
}

impl Runtime for Simulated {
    type File = SimulatedFile;

    async fn lock(&self, _directory: &Path) -> io::Result<()> {
        if !is(Bug::LateWrites) {
            self.wait_for_late_writes().await;
        }
        Ok(())
    }

    async fn open(&self, path: &Path, how: How) -> io::Result<SimulatedFile> {
        match self
            .begin(Operation::Open { path: path.to_owned(), create: how == How::Create })
            .await?
        {
            Output::File(inode) => {
                let opened = self.opened(inode);
                let other = how != How::Read;
                Ok(SimulatedFile { inode, opened, direct: other, writable: other })
            }
            other => Err(unexpected(&other)),
        }
    }

    async fn read_at(
        &self,
        file: &SimulatedFile,
        position: u64,
        length: usize,
    ) -> io::Result<Bytes> {
        if file.direct {
            assert!(
                position.is_multiple_of(BLOCK as u64) && length.is_multiple_of(BLOCK),
                "unaligned direct read"
            );
        }
        match self.begin(Operation::Read { inode: file.inode, position, length }).await? {
            Output::Bytes(bytes) => Ok(bytes),
            other => Err(unexpected(&other)),
        }
    }

    fn write_at(
        &self,
        file: &SimulatedFile,
        bytes: Bytes,
        position: u64,
        dsync: Dsync,
    ) -> impl Future<Output = io::Result<()>> + 'static {
        assert!(
            file.writable && !bytes.is_empty(),
            "write to a file opened for reading, or of nothing"
        );
        assert!(
            position.is_multiple_of(BLOCK as u64)
                && bytes.len().is_multiple_of(BLOCK)
                && bytes.as_ptr().addr().is_multiple_of(BLOCK),
            "unaligned direct write: {} bytes at {position}",
            bytes.len(),
        );
        let pending = self.begin(Operation::Write {
            inode: file.inode,
            bytes,
            position,
            dsync: dsync == Dsync::Yes,
        });
        async move { unit(pending.await) }
    }

    fn fdatasync(&self, file: &SimulatedFile) -> impl Future<Output = io::Result<()>> + 'static {
        let pending = self.begin(Operation::Fdatasync { inode: file.inode });
        async move { unit(pending.await).map_err(final_error) }
    }

    async fn syncfs(&self, file: &SimulatedFile) -> io::Result<()> {
        unit(self.begin(Operation::Syncfs { inode: file.inode }).await).map_err(final_error)
    }

    async fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let synced = self.begin(Operation::SyncDirectory { path: directory.to_owned() }).await;
        unit(synced).map_err(final_error)
    }

    async fn fallocate(
        &self,
        file: &SimulatedFile,
        position: u64,
        length: u64,
        grow: bool,
    ) -> io::Result<()> {
        unit(
            self.begin(Operation::Fallocate { inode: file.inode, end: position + length, grow })
                .await,
        )
    }

    async fn truncate(&self, file: &SimulatedFile, length: u64) -> io::Result<()> {
        unit(self.begin(Operation::Truncate { inode: file.inode, length }).await)
    }

    async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        unit(self.begin(Operation::Rename { from: from.to_owned(), to: to.to_owned() }).await)
    }

    async fn unlink(&self, path: &Path) -> io::Result<()> {
        unit(self.begin(Operation::Unlink { path: path.to_owned() }).await)
    }

    async fn remove_directory(&self, path: &Path) -> io::Result<()> {
        unit(self.begin(Operation::Unlink { path: path.to_owned() }).await)
    }

    async fn mkdir(&self, path: &Path) -> io::Result<()> {
        unit(self.begin(Operation::Mkdir { path: path.to_owned() }).await)
    }

    async fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        match self.begin(Operation::List { path: directory.to_owned() }).await? {
            Output::Names(names) => Ok(names),
            other => Err(unexpected(&other)),
        }
    }

    async fn held(&self, file: &SimulatedFile) -> io::Result<Held> {
        // One is the world's own.
        Ok(if Rc::strong_count(&file.opened) > 2 { Held::Open } else { Held::No })
    }

    async fn stat(&self, path: &Path) -> io::Result<Stat> {
        match self.begin(Operation::Stat { path: path.to_owned() }).await? {
            Output::Stat(stat) => Ok(stat),
            other => Err(unexpected(&other)),
        }
    }

    async fn length(&self, file: &SimulatedFile) -> io::Result<u64> {
        match self.begin(Operation::Length { inode: file.inode }).await? {
            Output::Length(length) => Ok(length),
            other => Err(unexpected(&other)),
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.add_task(Box::pin(task));
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + 'static {
        let pending = self.begin_timer(time);
        async move {
            let _ = pending.await;
        }
    }

    fn now(&self) -> i64 {
        1_700_000_000_000 + i64::try_from(self.monotonic().as_millis()).unwrap_or(i64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.clock()
    }

    fn random(&self) -> u64 {
        self.with_random(|random| random.random())
    }
}
