//! The files of a cleaned segment, under names that nothing but a swap takes for a segment's: `<base>.log.cleaned` and so on.
//!
//! When [`Output::finish`] returns they are complete and on stable storage, names included. The indexes are built by the rules of an
//! append ([`Segment::append`]), from the batches that are written.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{CLEANED, Damage, Trouble};
use crate::batch::Batch;
use crate::buffers::padded;
use crate::config::LogConfig;
use crate::core::Core;
use crate::log::Log;
use crate::pace::Paced;
use crate::planted::{Bug, is};
use crate::recycle::{let_go, take_alone};
use crate::removal::{aside, later, or_gone};
use crate::runtime::{BLOCK, Dsync, How, Runtime, is_full, write_new_file};
use crate::segment::Segment;
use crate::segment::files::{Kind, file_name};
use crate::segment::index_tail::IndexTail;
use crate::units::Offset;

/// The files that are made anew, and take the place of those of the first source.
pub(super) const KINDS: [Kind; 3] = [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex];

/// The name of a cleaned segment's file until it is in force.
pub(super) fn cleaned_name(base: Offset, kind: Kind) -> String {
    format!("{}{CLEANED}", file_name(base, kind))
}

/// See the head of the file.
pub(super) struct Output<R: Runtime> {
    segment: Segment,
    config: Arc<LogConfig>,
    directory: PathBuf,
    file: R::File,
    /// What is in the file.
    written: u64,
    /// What follows.
    buffer: Vec<u8>,
}

impl<R: Runtime> Output<R> {
    pub(super) async fn create(
        core: &Core<R>,
        log: &Log<R>,
        base: Offset,
    ) -> Result<Output<R>, Trouble> {
        let (config, directory) = {
            let state = log.state();
            (Arc::clone(&state.config), state.directory.clone())
        };
        let path = directory.join(cleaned_name(base, Kind::Log));
        // The directory keeps its name meanwhile: it could be another partition's otherwise.
        take_alone(core, log).await.map_err(|_| Trouble::Stopped)?;
        let opened = async {
            if log.state().deleted {
                return Err(Trouble::Moved);
            }
            // Never what an earlier process left there: its writes may still land.
            or_gone(core.runtime.unlink(&path).await).map_err(Trouble::Write)?;
            core.runtime.open(&path, How::Create).await.map_err(Trouble::Write)
        };
        let opened = opened.await;
        let_go(core, log);
        let (file, segment) = (opened?, Segment::new(base, 0));
        Ok(Output { segment, config, directory, file, written: 0, buffer: Vec::new() })
    }

    pub(super) async fn push(
        &mut self,
        core: &Core<R>,
        pace: &Paced<R>,
        batch: &Batch,
    ) -> Result<(), Trouble> {
        let size = batch.size();
        let length = u64::from(self.segment.length) + size as u64;
        let fits = i32::try_from(length).is_ok();
        let size = u32::try_from(size).ok().filter(|_| fits).ok_or_else(|| {
            Trouble::Damaged(Damage {
                segment: self.segment.base,
                file: self.directory.join(file_name(self.segment.base, Kind::Log)),
                position: length,
                offset: batch.base_offset(),
                what: "recompressed, its segment would be larger than 2 GiB".to_owned(),
            })
        })?;
        self.segment.append(batch.header(), size, &self.config);
        self.buffer.extend_from_slice(batch.bytes());
        if self.buffer.len() >= pace.io_bytes() {
            let whole = self.buffer.len() / BLOCK * BLOCK;
            let rest = self.buffer.split_off(whole);
            self.flush(core, pace).await?;
            self.buffer = rest;
        }
        Ok(())
    }

    /// Writes the buffer, padded to whole blocks.
    async fn flush(&mut self, core: &Core<R>, pace: &Paced<R>) -> Result<(), Trouble> {
        pace.moved(self.buffer.len()).await?;
        for piece in self.buffer.chunks(pace.io_bytes().next_multiple_of(BLOCK)) {
            let write = core.runtime.write_at(&self.file, padded(piece), self.written, Dsync::No);
            write.await.map_err(Trouble::Write)?;
            self.written += piece.len() as u64;
        }
        self.buffer.clear();
        Ok(())
    }

    /// Closes the files. `next` is where the last of the sources ends, `newest` the time of what was in it.
    pub(super) async fn finish(
        mut self,
        core: &Core<R>,
        log: &Log<R>,
        pace: &Paced<R>,
        (next, newest): (Offset, i64),
    ) -> Result<Segment, Trouble> {
        if !self.buffer.is_empty() {
            self.flush(core, pace).await?;
        }
        let mut segment = self.segment;
        segment.add_time_entry();
        let length = u64::from(segment.length);
        let runtime = &core.runtime;
        runtime.truncate(&self.file, length).await.map_err(Trouble::Write)?;
        if !is(Bug::CleanedUnsynced) {
            runtime.fdatasync(&self.file).await.map_err(Trouble::Write)?;
        }
        // Alone again, for new names are made.
        take_alone(core, log).await.map_err(|_| Trouble::Stopped)?;
        let deleted = log.state().deleted;
        let written = match deleted {
            true => Ok(()),
            false => write_indexes(core, &self.directory, &segment).await,
        };
        let_go(core, log);
        written.map_err(Trouble::Write)?;
        if deleted {
            return Err(Trouble::Moved);
        }
        segment.offsets = IndexTail::filed(segment.offsets.length());
        segment.times = IndexTail::filed(segment.times.length());
        let length = segment.length;
        segment.settle(length);
        (segment.next, segment.opened, segment.finished) = (next, newest, true);
        Ok(segment)
    }
}

/// Writes the indexes, and makes the names of all files durable.
async fn write_indexes<R: Runtime>(
    core: &Core<R>,
    directory: &std::path::Path,
    segment: &Segment,
) -> std::io::Result<()> {
    let runtime = &core.runtime;
    for (kind, index) in [(Kind::OffsetIndex, &segment.offsets), (Kind::TimeIndex, &segment.times)]
    {
        let path = directory.join(cleaned_name(segment.base, kind));
        or_gone(runtime.unlink(&path).await)?;
        write_new_file(runtime, &path, index.bytes(), true).await?;
    }
    if is(Bug::CleanedDirectoryUnsynced) {
        return Ok(());
    }
    runtime.sync_directory(directory).await
}

/// Removes what a cleaning that came to nothing has written.
pub(super) async fn discard<R: Runtime>(core: &Rc<Core<R>>, log: &Log<R>, base: Offset) {
    if take_alone(core, log).await.is_err() {
        return;
    }
    if !log.state().deleted {
        let directory = log.state().directory.clone();
        for kind in KINDS {
            match aside(&core.runtime, &directory.join(cleaned_name(base, kind))).await {
                Ok(renamed) => later(core, renamed, Duration::ZERO),
                // What stays is ignored, and removed at another time.
                Err(error) if is_full(&error) => {}
                // As after any write that fails. A stop that left it there would not be a clean one.
                Err(error) => core.go_offline(&format!("a file cannot be renamed: {error}")),
            }
        }
    }
    let_go(core, log);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::runtime::simulated::Disk;
    use crate::simulation::hand::{append, disk, open, run};

    /// Found by the simulation: what a cleaning had left could not be renamed, and stayed for good behind a stop that was said to be clean.
    #[test]
    fn what_cannot_be_discarded_is_no_clean_stop() {
        let disk = disk();
        let drive: Disk = disk.clone();
        run(1, &disk, async move |runtime| {
            let (store, log) = open(&runtime).await;
            append(&store, &log, 12_000).await.ticket.await.unwrap();
            log.request_drain();
            runtime.sleep(Duration::from_secs(1)).await;
            let directory = Path::new("/data/t-0");
            let left = directory.join(cleaned_name(Offset(0), Kind::Log));
            drive.put(&left, b"half").unwrap();
            drive.set_dead(Some(directory));
            discard(log.core(), &log, Offset(0)).await;
            drive.set_dead(None);
            assert!(drive.content(&left).is_some() && store.close().await.is_err());
        });
    }
}
