//! Truncation: the end of a log goes, for good.
//!
//! A follower asks for it whose leader has something else at those offsets (KIP-101). What is left ends between two batches. In this order:
//! 1. Nothing is appended, drained, compacted or removed in the log meanwhile; everything that was appended is durable.
//! 2. Where the log is to end is looked for ([`super::cut`]), and what the truncation will say of the segment that holds that place is
//!    made durable: its file, its indexes.
//! 3. A *truncate* entry is logged, with the state of that segment and of the producers. **This decides**: recovery has the cut log if it
//!    finds the entry, else the whole one. Behind it comes once more what is left and in no file, so that no replay begins before the entry.
//! 4. In memory, in the same instant: segments behind the end are gone, the one that holds it is cut, and the log goes on in a new one. Its
//!    name may be that of one that is gone.
//! 5. Only when the *recorded* mark has passed the entry may a drain cut the file, and files that are gone lose their names: recovery
//!    checks extents above that mark ([`crate::given_up`]). Appends wait for it, too, so that no name is used again before.
//!
//! Snapshots of producers' states at offsets that are gone go, too: Kafka, and the next truncation, would believe them.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::Log;
use super::cut::Cut;
use crate::commit_log::entry::{ENTRY_BYTES, Entry, Kind};
use crate::commit_log::{EntryId, GroupSequence};
use crate::core::Core;
use crate::error::{Offline, TruncateError};
use crate::given_up::{GivenUp, quiet_prepares, renamed_up_to};
use crate::manifest::{SegmentState, Truncated};
use crate::partition::{Partition, Relogged};
use crate::planted::{Bug, is};
use crate::producer::ProducerStates;
use crate::recycle::take_alone;
use crate::retention::to_make_room;
use crate::runtime::{How, Runtime, block_down, is_full};
use crate::segment::Segment;
use crate::segment::drain::{FULL_DISK_PAUSE, Until, drain};
use crate::segment::files::{Kind as FileKind, file_name, sync_file};
use crate::segment::finish::write_indexes;
use crate::tail::length;
use crate::units::Offset;

/// The log stands still while this lives.
struct Still<R: Runtime> {
    log: Log<R>,
    is_alone: bool,
}

impl<R: Runtime> Still<R> {
    fn begin(log: &Log<R>) -> Result<Self, TruncateError> {
        let mut state = log.state_mut();
        if state.deleted {
            return Err(TruncateError::Gone);
        }
        if state.held || state.truncating {
            return Err(TruncateError::Busy);
        }
        state.truncating = true;
        Ok(Still { log: log.clone(), is_alone: false })
    }

    fn let_go(&mut self) {
        if std::mem::take(&mut self.is_alone) {
            crate::recycle::let_go(self.log.core(), &self.log);
        }
    }

    /// No other task writes to the log's files any more, and the cleaner changes none.
    async fn come_to_rest(&mut self) -> Result<(), TruncateError> {
        let (core, log) = (&self.log.0.core, &self.log);
        loop {
            let settled = core.events.settled.listen();
            core.check_online()?;
            if !log.state().segments.iter().any(|segment| segment.swapping) {
                break;
            }
            settled.await;
        }
        if !self.is_alone {
            take_alone(core, log).await.map_err(offline)?;
            self.is_alone = true;
        }
        quiet_prepares(core, log).await?;
        loop {
            let last = core.commit.borrow().last_content;
            core.durable(last).await?;
            let drained = drain(core, log, Until::Blocks).await;
            if let Err(error) = drained {
                core.go_offline(&format!("a segment cannot be written: {error}"));
            }
            core.check_online()?;
            if log.is_durable() {
                return Ok(());
            }
        }
    }
}

impl<R: Runtime> Drop for Still<R> {
    fn drop(&mut self) {
        self.let_go();
        self.log.state_mut().truncating = false;
        self.log.core().events.settled.notify();
    }
}

fn offline(error: std::io::Error) -> TruncateError {
    TruncateError::Offline(Offline(error.to_string()))
}

impl<R: Runtime> Log<R> {
    /// Cuts off everything from `to` on, and a batch that reaches beyond it; not below the log start. Returns where the log ends now. That is
    /// on stable storage when this returns, and what was cut never comes back. Until then appends are refused: the caller makes none.
    ///
    /// Producers and leader epochs are what they were at that offset. A log that is moving to another directory is not truncated: the move
    /// is given up first ([`TruncateError::Busy`]).
    pub async fn truncate_to(&self, to: Offset) -> Result<Offset, TruncateError> {
        let core = &self.0.core;
        let mut still = Still::begin(self)?;
        let (end, entry) = loop {
            still.come_to_rest().await?;
            let to = to.max(self.log_start());
            if to >= self.end() {
                return Ok(self.end());
            }
            let cut = self.find_cut(to).await?;
            let Some(snapshots) = self.prepare_cut(&cut).await? else { continue };
            let room = core.events.room.listen();
            match self.carry_out(&cut, snapshots)? {
                Carried::Out(entry) => break (cut.end, entry),
                Carried::Changed => {}
                Carried::NoRoom => {
                    // Recycling may wait for this log.
                    still.let_go();
                    core.events.recycle.notify();
                    let pause = std::pin::pin!(core.runtime.sleep(FULL_DISK_PAUSE));
                    futures::future::select(room, pause).await;
                }
            }
        };
        if is(Bug::DestroyedAtWritten) {
            core.written(entry.group).await?;
        } else if is(Bug::DestroyedAtDurable) {
            core.durable(entry.group).await?;
        } else if !is(Bug::DestroyedAtOnce) {
            core.recorded(entry.group).await?;
        }
        still.let_go();
        self.request_drain();
        if !is(Bug::NameUsedAgain) {
            renamed_up_to(core, entry.group).await.map_err(offline)?;
        }
        core.durable(entry.group).await?;
        Ok(end)
    }

    /// Whether everything that names the log is durable. Groups under way would say of it that more is than there is.
    fn is_durable(&self) -> bool {
        let durable = self.core().commit.borrow().marks.durable;
        self.state().touched.is_none_or(|(group, _)| group <= durable)
    }

    /// What the entry will say is on stable storage when this returns. The files of snapshots that go with it; none where there was no room.
    async fn prepare_cut(&self, cut: &Cut) -> Result<Option<Vec<String>>, TruncateError> {
        let core = &self.0.core;
        match self.sync_cut(cut).await {
            Ok(snapshots) => Ok(Some(snapshots)),
            Err(error) if is_full(&error) && !core.closing.get() => {
                core.wait_out_full_disk().await;
                Ok(None)
            }
            Err(error) => {
                core.go_offline(&format!("a segment cannot be synced: {error}"));
                core.check_online()?;
                Err(TruncateError::Gone)
            }
        }
    }

    async fn sync_cut(&self, cut: &Cut) -> std::io::Result<Vec<String>> {
        let core = &self.0.core;
        let directory = self.state().directory.clone();
        if let Some(kept) = &cut.kept
            && !is(Bug::CutUnsynced)
        {
            for kind in [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex] {
                let path = directory.join(file_name(kept.base, kind));
                match core.runtime.open(&path, How::Write).await {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    other => sync_file(core, self, (kept.base, kind), &other?).await?,
                }
            }
            if self.state().has_directory {
                core.runtime.sync_directory(&directory).await?;
                core.runtime.sync_directory(&core.options.directory).await?;
            }
        }
        let names = match core.runtime.list(&directory).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let is_behind = |name: &String| {
            let offset = name.strip_suffix(FileKind::Snapshot.suffix());
            offset
                .and_then(|offset| offset.parse().ok())
                .is_some_and(|offset| Offset(offset) > cut.end)
        };
        Ok(names.into_iter().filter(|name| is_behind(name) && !is(Bug::SnapshotsKept)).collect())
    }

    /// Steps 3 and 4: nothing waits in between.
    fn carry_out(&self, cut: &Cut, snapshots: Vec<String>) -> Result<Carried, TruncateError> {
        let core = &self.0.core;
        core.check_online()?;
        if self.state().deleted || core.closing.get() || core.stopped.get() {
            return Err(TruncateError::Gone);
        }
        if self.state().log_start > cut.end || !self.is_durable() {
            return Ok(Carried::Changed);
        }
        let mut commit = core.commit.borrow_mut();
        let mut state = self.state_mut();
        let payload = cut.truncated().encode();
        let remainder = cut.kept.as_ref().map_or(0, SegmentState::unfiled);
        let need = payload.len() + ENTRY_BYTES + remainder;
        if !commit.could_fit(need) {
            return Err(TruncateError::TooLarge(need));
        }
        if commit.reserve(need, 0, to_make_room(core)).is_err() {
            return Ok(Carried::NoRoom);
        }
        let kept = cut.kept.as_ref();
        let entry = Entry {
            payload: length(&payload),
            segment: kept.map_or(cut.end, |kept| kept.base),
            position: kept.map_or(0, |kept| kept.length),
            base: cut.end,
            next: cut.end,
            ..Entry::new(Kind::Truncate, self.id())
        };
        let is_logged = !is(Bug::TruncationNotLogged);
        let entry = match is_logged {
            true => commit.add(&entry, &[&payload], payload.len()),
            false => EntryId { group: commit.next, ordinal: 0 },
        };
        let was = state.dirty_bytes();
        let gone = state.truncate(cut.end, kept, cut.producers.clone(), core.runtime.now());
        if !is(Bug::CutRemainderNotLogged) {
            state.log_again(&mut commit, self.id());
        }
        if is_logged {
            super::touch(self, &mut state, commit.group());
        }
        core.dirty_fell(was, state.dirty_bytes());
        let mut renames: Vec<(PathBuf, PathBuf)> =
            gone.iter().flat_map(|base| state.renames(*base)).collect();
        let directory = &state.directory;
        let snapshots = snapshots.into_iter().map(|name| {
            let to = directory.join(format!("{name}.deleted"));
            (directory.join(name), to)
        });
        let more: Vec<_> =
            snapshots.filter(|(from, _)| !renames.iter().any(|known| known.0 == *from)).collect();
        renames.extend(more);
        let unlink_after =
            Duration::from_millis(u64::try_from(state.config.file_delete_delay_ms).unwrap_or(0));
        let (parent, has_directory) = (directory.clone(), state.has_directory);
        // An earlier life may have left files that this one has not looked for: before a name is used again, or at a clean stop.
        state.unchecked |= !has_directory;
        drop((state, commit));
        for base in gone {
            core.files.forget(self, Some(base));
        }
        if !renames.is_empty() && has_directory {
            let given_up = GivenUp { since: entry.group, renames, parent, unlink_after, log: None };
            core.given_up.borrow_mut().push_back(given_up);
            core.events.given_up.notify();
        }
        core.events.appended.notify();
        core.events.room.notify();
        Ok(Carried::Out(entry))
    }

    /// The indexes of a segment are in their files, as far as they go.
    pub(super) async fn file_indexes(&self, base: Offset) -> Result<(), TruncateError> {
        let core: &Rc<Core<R>> = &self.0.core;
        loop {
            match write_indexes(core, self, base, false).await {
                Err(error) if is_full(&error) && !core.closing.get() => {
                    core.wait_out_full_disk().await;
                }
                Err(error) => {
                    core.go_offline(&format!("an index cannot be written: {error}"));
                    return Err(offline(error));
                }
                Ok(()) => return Ok(()),
            }
        }
    }
}

/// What became of a cut.
enum Carried {
    Out(EntryId),
    /// The log is not as it was.
    Changed,
    NoRoom,
}

impl Partition {
    /// The log ends at `end` now, and goes on in a new segment. `kept`: the last of the old ones, as it is then; all are gone if there is
    /// none. Returns those that are gone.
    pub(crate) fn truncate(
        &mut self,
        end: Offset,
        kept: Option<&SegmentState>,
        producers: ProducerStates,
        now: i64,
    ) -> Vec<Offset> {
        let first = kept
            .map_or(0, |kept| self.segments.partition_point(|segment| segment.base <= kept.base));
        let gone = self.segments.drain(first..).map(|segment| segment.base).collect();
        // Whoever is looking for something begins anew.
        self.swaps += 1;
        self.truncations += 1;
        let (base, length) = kept.map_or((Offset(i64::MIN), 0), |kept| (kept.base, kept.length));
        if let (Some(kept), Some(last)) = (kept, self.segments.back_mut())
            && (last.length > kept.length || last.next > end)
        {
            *last = kept.open();
            last.generation = self.swaps;
        }
        let mut next = Segment::new(end, now);
        next.generation = self.swaps;
        self.segments.push_back(next);
        if !is(Bug::CutTailKept) {
            self.tail.cut(base, length);
        }
        self.relogged = self.relogged.filter(|again| (again.segment, again.start) < (base, length));
        if let Some(again) = self.relogged.as_mut().filter(|again| again.segment == base) {
            again.end = again.end.min(length);
        }
        self.end = end;
        self.written = self.written.min(end);
        self.durable = self.durable.min(end);
        if !is(Bug::EpochsNotCut) {
            self.epochs.truncate_end(end);
        }
        if !is(Bug::ProducersNotCut) {
            self.producers = producers;
        }
        self.snapshots.retain(|(_, at, _)| *at <= end);
        if kept.is_some_and(|kept| !kept.finished) && !self.producers.is_empty() {
            self.snapshots.retain(|(segment, ..)| *segment != base);
            self.snapshots.push((base, end, self.producers.snapshot()));
        }
        self.cleaned_to = self.cleaned_to.min(end);
        // Entries that name the new segment are not those of one that was cleaned.
        self.rewritten = self.rewritten.min(end);
        self.undecided = None;
        self.unflushed = 0;
        gone
    }

    /// What is left and in no file is logged behind the truncation.
    fn log_again<R: Runtime>(
        &mut self,
        commit: &mut crate::commit_log::commit::Commit<R>,
        id: crate::units::PartitionId,
    ) {
        let Some((segment, start, bytes)) = self.remainder(GroupSequence(u64::MAX)) else { return };
        let end = start + length(&bytes);
        let entry = Entry {
            payload: length(&bytes),
            segment,
            position: start,
            start: end,
            base: self.end,
            next: self.end,
            checksum: crc32c::crc32c(&bytes),
            ..Entry::new(Kind::Fragment, id)
        };
        let entry = commit.add(&entry, &[&bytes], 0);
        self.relogged = Some(Relogged { segment, start, end, entry });
    }
}

impl SegmentState {
    /// Bytes that are to be logged again, at most.
    fn unfiled(&self) -> usize {
        let settled = u32::try_from(block_down(u64::from(self.filed))).unwrap_or(0);
        if self.filed < self.length { (self.length - settled) as usize } else { 0 }
    }
}

impl Cut {
    fn truncated(&self) -> Truncated {
        Truncated { kept: self.kept.clone(), producers: self.producers.remembered() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::hand::{append, disk, id, open, run};

    /// What the simulation does not see: what it refuses, and where nothing is to be done.
    #[test]
    fn what_is_cut_and_what_is_refused() {
        run(1, &disk(), async move |runtime| {
            let (store, log) = open(&runtime).await;
            for _ in 0..4 {
                append(&store, &log, 3000).await.ticket.await.unwrap();
            }
            assert_eq!(log.truncate_to(Offset(9)).await.unwrap(), Offset(4));
            assert_eq!(log.truncate_to(Offset(3)).await.unwrap(), Offset(3));
            assert_eq!(
                (log.end(), log.written(), log.durable()),
                (Offset(3), Offset(3), Offset(3))
            );
            assert_eq!(append(&store, &log, 10).await.base_offset, Offset(3));
            log.advance_log_start(Offset(2)).unwrap();
            log.keep();
            assert!(matches!(log.truncate_to(Offset(3)).await, Err(TruncateError::Busy)));
            log.state_mut().held = false;
            assert_eq!(log.truncate_to(Offset(0)).await.unwrap(), Offset(2));
            assert_eq!((log.log_start(), log.end()), (Offset(2), Offset(2)));
            assert_eq!(append(&store, &log, 10).await.base_offset, Offset(2));
            store.delete(id(1)).await.unwrap();
            assert!(matches!(log.truncate_to(Offset(2)).await, Err(TruncateError::Gone)));
        });
    }
}
