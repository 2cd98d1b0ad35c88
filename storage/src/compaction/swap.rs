//! How a cleaned segment takes the place of those that it was made from, so that a crash at any point leaves the old ones or the new one.
//!
//! 1. The new files are on stable storage, under names that recovery does not take for a segment's ([`super::output`]).
//! 2. In memory, in one instant, the list of segments has the new one. It is *swapping*: its files have those other names. Readers that
//!    hold a plan keep their open files; those that are still looking begin anew ([`crate::log`]).
//! 3. A manifest that says so is durable. **This decides**: before it the old segments are in force, whatever else is there; after it the
//!    new one is, and recovery goes on with step 4.
//! 4. The old files are renamed to `.deleted`, those of the first source, whose names the new ones get, each right before that. (To rename
//!    over a file is to free it at once, and with `discard` a segment of 1 GiB stops every sync for a second: [`crate::removal`].) No data of
//!    aborted transactions is left. The directory is synced.
//!
//! A cleaning of the same base offset may write the other names again only when a manifest says that step 4 is done: recovery would take
//! half of a file for a cleaned one. So before a round a manifest is written if there was a swap since the last
//! ([`crate::partition::Partition::swap_unrecorded`]).

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::choice::Source;
use super::output::{KINDS, cleaned_name};
use super::{Trouble, output};
use crate::core::Core;
use crate::log::Log;
use crate::partition::Partition;
use crate::planted::{Bug, is};
use crate::recycle::{let_go, record, take_alone};
use crate::removal::{aside, later, or_gone};
use crate::runtime::{Runtime, is_full};
use crate::segment::Segment;
use crate::segment::files::{Kind, file_name};
use crate::units::Offset;

/// Steps 2 to 4. The sources are neighbours, oldest first.
pub(super) async fn swap<R: Runtime>(
    core: &Rc<Core<R>>,
    log: &Log<R>,
    sources: &[Source],
    segment: Segment,
) -> Result<(), Trouble> {
    let base = segment.base;
    let is_held = (log.state().held && !is(Bug::HeldNotKept)) || log.state().truncating;
    if is_held || !log.state_mut().put_in_place(sources, segment) {
        output::discard(core, log, base).await;
        return Err(Trouble::Moved);
    }
    for source in sources {
        core.files.forget(log, Some(source.base));
    }
    if !is(Bug::SwappedBeforeManifest) {
        record_it(core).await?;
    }
    let others: Vec<Offset> = sources[1..].iter().map(|source| source.base).collect();
    loop {
        take_alone(core, log).await.map_err(|_| Trouble::Stopped)?;
        let renamed = if log.state().deleted {
            Err(Trouble::Moved)
        } else {
            take_names(core, log, base, &others).await.map_err(Trouble::Write)
        };
        if renamed.is_ok() {
            log.state_mut().has_its_names(base);
        }
        let_go(core, log);
        match renamed {
            Err(Trouble::Write(error)) if is_full(&error) && !core.closing.get() => {
                core.wait_out_full_disk().await;
            }
            other => return other,
        }
    }
}

/// A manifest of the state of now is durable when this returns.
pub(super) async fn record_it<R: Runtime>(core: &Rc<Core<R>>) -> Result<(), Trouble> {
    loop {
        match record(core, None).await {
            Err(error) if is_full(&error) && !core.closing.get() => {
                core.wait_out_full_disk().await;
            }
            Err(error) => return Err(Trouble::Write(error)),
            // It has ended, and nothing was written.
            Ok(()) if core.stopped.get() => return Err(Trouble::Stopped),
            Ok(()) => return Ok(()),
        }
    }
}

/// Step 4. May be done again.
async fn take_names<R: Runtime>(
    core: &Rc<Core<R>>,
    log: &Log<R>,
    base: Offset,
    others: &[Offset],
) -> io::Result<()> {
    let directory = log.state().directory.clone();
    let delay = u64::try_from(log.state().config.file_delete_delay_ms).unwrap_or(0);
    let gone = |path: Option<PathBuf>| later(core, path, Duration::from_millis(delay));
    rename_cleaned(core, &directory, base, &gone).await?;
    let others = others.iter().flat_map(|base| Kind::ALL.map(|kind| file_name(*base, kind)));
    for name in others.chain([file_name(base, Kind::TransactionIndex)]) {
        gone(aside(&core.runtime, &directory.join(name)).await?);
    }
    core.runtime.sync_directory(&directory).await
}

/// `gone` is told the new names of the old files. Where a cleaned file is gone it has its own name already, and that one stays.
async fn rename_cleaned<R: Runtime>(
    core: &Core<R>,
    directory: &Path,
    base: Offset,
    gone: &impl Fn(Option<PathBuf>),
) -> io::Result<()> {
    for kind in KINDS {
        let from = directory.join(cleaned_name(base, kind));
        let to = directory.join(file_name(base, kind));
        match core.runtime.stat(&from).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        gone(aside(&core.runtime, &to).await?);
        core.runtime.rename(&from, &to).await?;
    }
    Ok(())
}

/// What a crash has left between steps 3 and 4, before anything is served. The files of the other sources are not the log's any more, and
/// go with whatever else is not.
/// Returns how many segments there were.
pub(crate) async fn complete<R: Runtime>(core: &Core<R>, log: &Log<R>) -> io::Result<u64> {
    let bases: Vec<Offset> = {
        let state = log.state();
        state
            .segments
            .iter()
            .filter(|segment| segment.swapping)
            .map(|segment| segment.base)
            .collect()
    };
    if bases.is_empty() || is(Bug::SwapNotCompleted) {
        return Ok(0);
    }
    let directory = log.state().directory.clone();
    for base in &bases {
        // What is renamed goes with whatever else is not the log's.
        rename_cleaned(core, &directory, *base, &|_| ()).await?;
        let aborted = directory.join(file_name(*base, Kind::TransactionIndex));
        or_gone(core.runtime.unlink(&aborted).await)?;
    }
    core.runtime.sync_directory(&directory).await?;
    for base in &bases {
        log.state_mut().has_its_names(*base);
    }
    Ok(bases.len() as u64)
}

impl Partition {
    /// Puts a cleaned segment in the place of its sources; false if those are not the log's any more.
    fn put_in_place(&mut self, sources: &[Source], mut segment: Segment) -> bool {
        let Some(first) = sources.first() else { return false };
        let Ok(at) = self.segments.binary_search_by_key(&first.base, |segment| segment.base) else {
            return false;
        };
        let there = self.segments.range(at..).take(sources.len());
        let same = there.clone().count() == sources.len()
            && there.zip(sources).all(|(segment, source)| {
                segment.base == source.base
                    && segment.generation == source.generation
                    && segment.finished
                    && !segment.swapping
            });
        // The one that comes after them: the last is active, and never cleaned.
        let after = self.segments.get(at + sources.len()).map(|segment| segment.base);
        let Some(after) = after.filter(|_| same && !self.deleted) else { return false };
        self.swaps += 1;
        segment.generation = self.swaps;
        segment.swapping = true;
        // Aborted data is gone, and so is what told readers of it.
        segment.aborted = Some(Rc::from([]));
        self.segments.drain(at..at + sources.len());
        self.segments.insert(at, segment);
        if !is(Bug::EntriesOfCleanedReplayed) {
            self.rewritten = self.rewritten.max(after);
        }
        if !is(Bug::TailKeptBySwap) {
            // What memory has of the sources lies at other positions, and is more than there is now.
            self.tail.drop_below(after, 0);
        }
        true
    }

    fn has_its_names(&mut self, base: Offset) {
        self.swap_unrecorded = true;
        if let Some(segment) = self.segment_mut(base) {
            segment.swapping = false;
        }
    }
}
