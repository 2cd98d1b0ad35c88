//! How files that nobody needs any more are removed: when their time has come, one after another, and large ones from their end,
//! in slices with pauses.
//!
//! A file system mounted with `discard` tells the device of every block that it frees, and the device serves nobody meanwhile:
//! measured 1 ms a MiB, at least 2 ms an operation. A segment of 1 GiB that is unlinked at once stops every sync of the commit log for
//! a second.
//!
//! Only a file that nobody else has open, and that has no other name, is cut: a read plan in flight keeps its file whole, and so does
//! a backup made of links.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::time::Duration;

use futures::future::select;

use crate::core::Core;
use crate::runtime::{Held, How, Runtime};

/// By how much a file is cut at a time, as a rule.
pub(crate) const SLICE: u64 = 1 << 20;
/// The disk is left to others for this many times as long as a slice took.
const PAUSE_FACTOR: u32 = 4;
/// When a file is looked at again that a read plan holds.
const HELD_PAUSE: Duration = Duration::from_secs(1);
/// When one is tried again that the disk did not let go.
const ERROR_PAUSE: Duration = Duration::from_secs(600);

/// Removes what was renamed, after this time. A directory goes with all the files that are in it. No other file may get such a name: it
/// would be cut.
pub(crate) fn later<R: Runtime>(
    core: &Rc<Core<R>>,
    paths: impl IntoIterator<Item = PathBuf>,
    after: Duration,
) {
    let due = core.runtime.monotonic() + after;
    core.to_remove.borrow_mut().extend(paths.into_iter().map(|path| (due, path)));
    core.events.to_remove.notify();
    if !core.removing.replace(true) {
        core.runtime.spawn(run(Rc::downgrade(core)));
    }
}

/// Gives a file up at once: another name, which no file has had, and which says to every start that nobody needs it. To be removed
/// [`later`]. `None` if it is gone already.
pub(crate) async fn aside<R: Runtime>(runtime: &R, path: &Path) -> io::Result<Option<PathBuf>> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.deleted", runtime.random()));
    let to = path.with_file_name(name);
    match runtime.rename(path, &to).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(|()| Some(to)),
    }
}

/// Removes what is due, until nothing is left or the store closes. While it waits it does not keep a store that has ended, and the lock of
/// its directory.
async fn run<R: Runtime>(of: Weak<Core<R>>) {
    while let Some(core) = of.upgrade() {
        let more = core.events.to_remove.listen();
        if core.closing.get() || core.stopped.get() || core.check_online().is_err() {
            return;
        }
        let first = core.to_remove.borrow().first().cloned();
        let Some((due, path)) = first else {
            core.removing.set(false);
            return;
        };
        let left = due.saturating_sub(core.runtime.monotonic());
        if !left.is_zero() {
            let sleep = core.runtime.sleep(left);
            drop(core);
            select(more, std::pin::pin!(sleep)).await;
            continue;
        }
        let pace = Pace { slice: core.options.removal_bytes, core: Some(&core) };
        let removed = remove(&core.runtime, &path, &pace).await;
        core.to_remove.borrow_mut().remove(&(due, path.clone()));
        match removed {
            Ok(Removed::Yes) => {}
            Ok(Removed::Held) => later(&core, [path], HELD_PAUSE),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a deleted file stays, and is tried again later");
                later(&core, [path], ERROR_PAUSE);
            }
        }
    }
}

/// At once, before a clean stop: a start after that looks at no partition's directory, and files that were left there would stay. A whole
/// partition is left to the next start, which finds its directory by its name. After an error the stop must not be a clean one.
pub(crate) async fn files_at_once<R: Runtime>(core: &Core<R>) -> io::Result<()> {
    let paths = std::mem::take(&mut *core.to_remove.borrow_mut());
    for (_, path) in paths {
        let is_directory = core.runtime.stat(&path).await.is_ok_and(|stat| stat.is_directory);
        if is_directory {
            continue;
        }
        or_gone(core.runtime.unlink(&path).await)?;
    }
    Ok(())
}

/// Removes what nobody has opened in this life. What cannot be removed is removed at the next start.
pub(crate) async fn all<R: Runtime>(runtime: R, paths: Vec<PathBuf>) {
    let pace = Pace::<R> { slice: SLICE, core: None };
    for path in paths {
        if let Err(error) = remove(&runtime, &path, &pace).await {
            tracing::warn!(path = %path.display(), %error, "a deleted directory stays");
        }
    }
}

struct Pace<'a, R: Runtime> {
    slice: u64,
    core: Option<&'a Core<R>>,
}

impl<R: Runtime> Pace<'_, R> {
    /// The store closes: no more pauses, and no more slices.
    fn is_over(&self) -> bool {
        self.core.is_some_and(|core| core.closing.get() || core.stopped.get())
    }

    /// Leaves the disk to others. The end of the store ends it.
    async fn pause(&self, runtime: &R, began: Duration) {
        let took = runtime.monotonic().saturating_sub(began);
        let sleep = runtime.sleep(took * PAUSE_FACTOR);
        match self.core {
            None => sleep.await,
            Some(_) if self.is_over() => {}
            Some(core) => drop(select(core.events.closing.listen(), std::pin::pin!(sleep)).await),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removed {
    Yes,
    /// A file of it is being read.
    Held,
}

async fn remove<R: Runtime>(runtime: &R, path: &Path, pace: &Pace<'_, R>) -> io::Result<Removed> {
    let stat = match runtime.stat(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Removed::Yes),
        other => other?,
    };
    if !stat.is_directory {
        return remove_file(runtime, path, stat.length, pace).await;
    }
    for name in runtime.list(path).await? {
        let path = path.join(name);
        let length = runtime.stat(&path).await?.length;
        if remove_file(runtime, &path, length, pace).await? == Removed::Held {
            return Ok(Removed::Held);
        }
        if pace.is_over() {
            return Ok(Removed::Yes);
        }
    }
    or_gone(runtime.remove_directory(path).await)?;
    Ok(Removed::Yes)
}

async fn remove_file<R: Runtime>(
    runtime: &R,
    path: &Path,
    length: u64,
    pace: &Pace<'_, R>,
) -> io::Result<Removed> {
    if length > pace.slice {
        let file = runtime.open(path, How::Write).await?;
        match runtime.held(&file).await? {
            Held::No => cut(runtime, &file, length, pace).await?,
            Held::Open => return Ok(Removed::Held),
            Held::Linked => {}
        }
    }
    let began = runtime.monotonic();
    or_gone(runtime.unlink(path).await)?;
    pace.pause(runtime, began).await;
    Ok(Removed::Yes)
}

/// Gives back a file's blocks, up to its first slice.
async fn cut<R: Runtime>(
    runtime: &R,
    file: &R::File,
    length: u64,
    pace: &Pace<'_, R>,
) -> io::Result<()> {
    let mut length = length;
    while length > pace.slice && !pace.is_over() {
        let began = runtime.monotonic();
        length = (length - 1) / pace.slice * pace.slice;
        runtime.truncate(file, length).await?;
        pace.pause(runtime, began).await;
    }
    Ok(())
}

/// What is gone already need not be removed or renamed.
pub(crate) fn or_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::time::Duration;

    use crate::config::LogConfig;
    use crate::log::Log;
    use crate::runtime::simulated::Simulated;
    use crate::runtime::{How, Runtime};
    use crate::simulation::hand::{append, disk, id, open, run};
    use crate::store::Store;
    use crate::units::Offset;

    const DELAY: Duration = Duration::from_millis(500);

    /// Gives up a segment of several slices; its file under the new name.
    async fn given_up(store: &Store<Simulated>, log: &Log<Simulated>) -> PathBuf {
        let config = LogConfig {
            segment_bytes: 40 << 10,
            file_delete_delay_ms: i64::try_from(DELAY.as_millis()).unwrap(),
            ..LogConfig::default()
        };
        store.set_config(id(1), Arc::new(config));
        for _ in 0..60 {
            append(store, log, 1000).await.ticket.await.unwrap();
        }
        let runtime = &log.core().runtime;
        while !log.state().segments[0].finished {
            runtime.sleep(Duration::from_millis(1)).await;
        }
        let second = log.state().segments[1].base;
        log.advance_log_start(second).unwrap();
        let path = Path::new("/data/t-0/00000000000000000000.log.deleted").to_owned();
        while runtime.stat(&path).await.is_err() {
            runtime.sleep(Duration::from_millis(1)).await;
        }
        path
    }

    /// Lengths that the file has had until it was gone.
    async fn lengths(runtime: &Simulated, path: &Path) -> BTreeSet<u64> {
        let mut lengths = BTreeSet::new();
        while let Ok(stat) = runtime.stat(path).await {
            lengths.insert(stat.length);
        }
        lengths
    }

    #[test]
    fn a_large_file_is_cut_from_its_end() {
        run(1, &disk(), async move |runtime| {
            let (store, log) = open(&runtime).await;
            let path = given_up(&store, &log).await;
            let lengths = lengths(&runtime, &path).await;
            assert!(lengths.len() > 3 && lengths.contains(&(8 << 10)), "{lengths:?}");
            assert!(log.log_start() > Offset(0));
        });
    }

    #[test]
    fn a_file_that_is_read_stays_whole() {
        run(1, &disk(), async move |runtime| {
            let (store, log) = open(&runtime).await;
            let path = given_up(&store, &log).await;
            let whole = runtime.stat(&path).await.unwrap().length;
            let reader = runtime.open(&path, How::Read).await.unwrap();
            runtime.sleep(DELAY * 10).await;
            assert_eq!(runtime.length(&reader).await.unwrap(), whole);
            assert!(runtime.stat(&path).await.is_ok(), "it waits");
            drop(reader);
            assert!(lengths(&runtime, &path).await.len() > 3);
        });
    }

    /// A start after a clean stop looks at no partition's directory.
    #[test]
    fn a_clean_stop_leaves_no_deleted_file() {
        run(1, &disk(), async move |runtime| {
            let (store, log) = open(&runtime).await;
            let path = given_up(&store, &log).await;
            store.close().await.unwrap();
            assert!(runtime.stat(&path).await.is_err());
        });
    }
}
