//! Each partition replays from its own entry, in order: what the chain says happened after the manifest's state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::{All, RecoveryReport, Row};
use crate::batch::{Batch, BatchHeader, BatchInfo, HEADER_BYTES};
use crate::commit_log::EntryId;
use crate::commit_log::entry::{Entry, Kind};
use crate::commit_log::scan::{Chain, Linked};
use crate::config::LogConfig;
use crate::core::Core;
use crate::epochs::LeaderEpochs;
use crate::error::OpenError;
use crate::manifest::{Manifest, PartitionState, SegmentState, Truncated};
use crate::partition::Partition;
use crate::planted::{Bug, is};
use crate::producer::ProducerStates;
use crate::runtime::{Runtime, block_down};
use crate::store::Placed;
use crate::tail::{Piece, Span, length};
use crate::units::{Offset, PartitionId, Timestamp};

/// The logs as the chain leaves them.
#[derive(Default)]
pub(super) struct Replayed {
    pub(super) partitions: BTreeMap<PartitionId, Partition>,
    /// Those that the chain names.
    pub(super) touched: BTreeSet<PartitionId>,
    /// Those that the chain deletes: whatever they have is from after it.
    pub(super) deleted: BTreeSet<PartitionId>,
    /// Those that the chain truncates.
    pub(super) truncated: BTreeSet<PartitionId>,
    /// Bytes below extents that are to be written to their segments again.
    pub(super) rewrites: Vec<Rewrite>,
}

pub(super) struct Rewrite {
    pub(super) id: PartitionId,
    pub(super) segment: Offset,
    pub(super) start: u32,
    /// How many bytes from `start` on were logged again after the extent: a fragment that is still to come has them.
    missing: u32,
    pub(super) bytes: Vec<u8>,
}

impl Rewrite {
    /// Puts what a fragment has of the missing bytes in front of the others.
    fn fill(&mut self, entry: &Entry, payload: &Bytes) -> bool {
        let is_it = self.id == entry.id && self.segment == entry.segment && self.missing > 0;
        let reach = entry.position + length(payload);
        if !is_it || entry.position > self.start || reach < self.start + self.missing {
            return false;
        }
        let from = (self.start - entry.position) as usize;
        let missing = &payload[from..from + self.missing as usize];
        self.bytes.splice(..0, missing.iter().copied());
        self.missing = 0;
        true
    }
}

struct Replay<'a> {
    now: i64,
    producer_expiration_ms: i64,
    known: BTreeMap<PartitionId, (&'a str, &'a Arc<LogConfig>)>,
    directories: BTreeMap<PartitionId, PathBuf>,
    starts: BTreeMap<PartitionId, (EntryId, Offset)>,
    /// Entries after which a partition began anew: it was deleted, and the manifest's state is older.
    deletes: BTreeMap<PartitionId, EntryId>,
    out: Replayed,
    report: &'a mut RecoveryReport,
}

pub(super) fn replay<R: Runtime>(
    core: &Core<R>,
    manifest: &Manifest,
    chain: &Chain,
    all: &All<'_>,
    report: &mut RecoveryReport,
) -> Result<Replayed, OpenError> {
    let mut replay = Replay {
        now: core.runtime.now(),
        producer_expiration_ms: core.options.producer_expiration_ms,
        known: all.iter().map(|(id, topic, config)| (*id, (topic.as_str(), config))).collect(),
        directories: all
            .iter()
            .map(|(id, topic, _)| (*id, all.directory(&core.options, topic, *id)))
            .collect(),
        starts: BTreeMap::new(),
        deletes: chain.deletes(chain.groups.len()),
        out: Replayed::default(),
        report,
    };
    for state in &manifest.partitions {
        replay.take_up(state, all.directory(&core.options, &state.topic, state.id));
    }
    for (id, delete) in &replay.deletes {
        let after = EntryId { ordinal: delete.ordinal + 1, ..*delete };
        replay.starts.insert(*id, (after, Offset(0)));
    }
    for linked in &chain.groups {
        replay.group(linked)?;
    }
    replay.report.groups = chain.groups.len() as u64;
    replay.finish(all.placed)
}

impl Replay<'_> {
    /// A partition of the manifest.
    fn take_up(&mut self, state: &PartitionState, directory: PathBuf) {
        let Some((_, config)) = self.known.get(&state.id) else {
            self.report.hit(Row::PartitionStray);
            return;
        };
        match self.deletes.get(&state.id) {
            Some(delete) if *delete >= state.replay => return,
            _ => self.deletes.remove(&state.id),
        };
        let mut partition =
            Partition::new(state.id, &state.topic, directory, Arc::clone(config), self.now);
        partition.log_start = state.log_start;
        partition.end = state.end;
        partition.epochs = LeaderEpochs::from_entries(state.epochs.iter().copied());
        let now = Timestamp(self.now);
        let producers = ProducerStates::from_snapshot(
            state.end,
            &state.producers,
            now,
            self.producer_expiration_ms,
        );
        partition.producers = producers.unwrap_or_else(|_| ProducerStates::new(state.end));
        partition.segments = state.segments.iter().map(|segment| segment.open()).collect();
        (partition.cleaned_to, partition.rewritten) = (state.cleaned_to, state.rewritten);
        partition.has_directory =
            state.segments.iter().any(|segment| segment.filed > 0 || segment.finished);
        self.starts.insert(state.id, (state.replay, state.end));
        self.out.partitions.insert(state.id, partition);
    }

    fn group(&mut self, linked: &Linked) -> Result<(), OpenError> {
        for (entry, payload, id) in linked.group.numbered() {
            if entry.kind != Kind::Link {
                let replayed = self.entry(id, entry, payload);
                replayed.map_err(|what| OpenError::Rot {
                    file: format!("group {} of the commit log", id.group.0),
                    position: linked.position,
                    what: format!("entry {} ({entry:?}) {what}", id.ordinal),
                })?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, id: EntryId, entry: &Entry, payload: &Bytes) -> Result<(), &'static str> {
        let Some((topic, config)) = self.known.get(&entry.id) else {
            self.report.hit(Row::EntryForeign);
            return Ok(());
        };
        if !self.out.partitions.contains_key(&entry.id) {
            let directory = self.directories[&entry.id].clone();
            let partition =
                Partition::new(entry.id, topic, directory, Arc::clone(config), self.now);
            self.out.partitions.insert(entry.id, partition);
        }
        let (start, known) = self.starts.get(&entry.id).copied().unwrap_or_default();
        let start = match () {
            () if is(Bug::OneReplayPointForAll) => {
                self.starts.values().map(|(start, _)| *start).max().unwrap_or_default()
            }
            () if is(Bug::ReplayPointPerGroup) => EntryId { ordinal: 0, ..start },
            () => start,
        };
        self.out.touched.insert(entry.id);
        if self.deletes.get(&entry.id) == Some(&id) {
            self.report.hit(Row::Deleted);
            self.out.deleted.insert(entry.id);
            return Ok(());
        }
        if id < start {
            self.report.hit(Row::EntrySkipped);
            return Ok(());
        }
        let Some(partition) = self.out.partitions.get_mut(&entry.id) else { return Ok(()) };
        let has_place = matches!(entry.kind, Kind::Batch | Kind::Fragment | Kind::Extent);
        if has_place && entry.segment < partition.rewritten {
            // Compaction has written the segment anew since, and all that it held was durable.
            self.report.hit(Row::EntryOfCleaned);
            return Ok(());
        }
        let row = match entry.kind {
            Kind::Batch if is(Bug::EntryWithoutPlace) => {
                let entry = partition.at_its_end(entry, known);
                batch(partition, id, &entry, payload, known, self.now)?
            }
            Kind::Batch => batch(partition, id, entry, payload, known, self.now)?,
            Kind::Fragment => {
                let mut rewrites = self.out.rewrites.iter_mut();
                let filled = rewrites.any(|rewrite| rewrite.fill(entry, payload));
                let row = fragment(partition, id, entry, payload)?;
                if filled { Row::FragmentBefore } else { row }
            }
            Kind::Extent => {
                if let Some(rewrite) = extent(partition, id, entry, payload, known, self.now)? {
                    self.report.hit(Row::ExtentRewritten);
                    self.out.rewrites.push(rewrite);
                }
                return Ok(());
            }
            Kind::LogStart => {
                partition.start_at_replayed(entry.base);
                Row::LogStart
            }
            Kind::Truncate => {
                let kept = truncate(partition, entry, payload, self.now)?;
                self.out.truncated.insert(entry.id);
                // What it kept was synced before, and what it did not is gone.
                let is_kept = |rewrite: &Rewrite| rewrite.id != entry.id || rewrite.segment < kept;
                self.out.rewrites.retain(is_kept);
                if !is(Bug::CutTakenForKnown) {
                    self.starts.insert(entry.id, (start, entry.base));
                }
                Row::Truncated
            }
            Kind::Delete if is(Bug::DeleteNotReplayed) => Row::Deleted,
            Kind::Delete => return Err("deletes what is older than the manifest"),
            Kind::Link => return Err("is of a kind that is not written"),
        };
        self.report.hit(row);
        Ok(())
    }

    /// Every byte that no segment has must be here.
    fn finish(self, placed: &[Placed]) -> Result<Replayed, OpenError> {
        let mut out = self.out;
        if let Some(rewrite) = out.rewrites.iter().find(|rewrite| rewrite.missing > 0) {
            return Err(OpenError::Rot {
                file: self.directories[&rewrite.id].display().to_string(),
                position: u64::from(rewrite.start),
                what: format!("segment {} has a gap below an extent", rewrite.segment.0),
            });
        }
        for (id, partition) in &mut out.partitions {
            if out.touched.contains(id) {
                partition.leave_what_is_below_the_start(self.now);
            }
            partition.written = partition.end;
            partition.durable = partition.end;
            if let Some(what) = partition.hole() {
                return Err(OpenError::Rot {
                    file: partition.directory.display().to_string(),
                    position: u64::from(what.1),
                    what: format!(
                        "segment {} lacks bytes that the commit log does not hold either",
                        what.0.0
                    ),
                });
            }
            let row = if out.touched.contains(id) {
                Row::PartitionReplayed
            } else {
                Row::PartitionUntouched
            };
            self.report.hit(row);
        }
        for (id, topic, config) in placed {
            if !out.partitions.contains_key(id) {
                let directory = self.directories[id].clone();
                let partition = Partition::new(*id, topic, directory, Arc::clone(config), self.now);
                out.partitions.insert(*id, partition);
                self.report.hit(Row::PartitionNew);
            }
        }
        Ok(out)
    }
}

fn batch(
    partition: &mut Partition,
    id: EntryId,
    entry: &Entry,
    payload: &Bytes,
    known: Offset,
    now: i64,
) -> Result<Row, &'static str> {
    let header = BatchHeader::read(payload).ok_or("holds no batch")?;
    let parsed = Batch::parse(payload.clone()).map_err(|_| "holds no batch")?;
    let info = parsed.info();
    if entry.base >= known {
        place_new(partition, entry.segment, entry.position, entry.base, now)?;
        partition.appended(&header, info, payload.clone(), id);
        return Ok(Row::BatchNew);
    }
    let end = entry.position + length(payload);
    let filed = partition.segment(entry.segment).map_or(u32::MAX, |segment| segment.filed);
    if end <= filed {
        return Ok(Row::BatchFiled);
    }
    let span =
        Span { base: info.first_offset, last: info.last_offset, max_timestamp: info.timestamp };
    let piece = Piece {
        segment: entry.segment,
        position: entry.position,
        bytes: payload.clone(),
        entry: id,
        batch: Some(span),
    };
    push(partition, piece)?;
    Ok(Row::BatchToMemory)
}

/// What the manifest's state does not know goes to the end of the log, which may be a new segment.
fn place_new(
    partition: &mut Partition,
    segment: Offset,
    position: u32,
    base: Offset,
    now: i64,
) -> Result<(), &'static str> {
    if base != partition.end {
        return Err("does not continue the partition's offsets");
    }
    if segment != partition.active().base {
        if segment != base || position != 0 {
            return Err("names a segment that is not the partition's");
        }
        if partition.active().length == 0 {
            // A log that starts at another offset than 0 and was never written.
            partition.segments.clear();
            partition.segments.push_back(crate::segment::Segment::new(base, now));
        } else {
            partition.roll(now);
            partition.start_at_replayed(partition.log_start);
        }
    }
    if position != partition.active().length {
        return Err("does not continue its segment");
    }
    Ok(())
}

/// The log ends earlier. Returns the segment from which on nothing is as it was.
fn truncate(
    partition: &mut Partition,
    entry: &Entry,
    payload: &Bytes,
    now: i64,
) -> Result<Offset, &'static str> {
    let truncated = Truncated::decode(payload).ok_or("holds no state")?;
    let kept = truncated.kept.as_ref();
    let is_there = |kept: &SegmentState| partition.segment(kept.base).is_some();
    if entry.base > partition.end || !kept.is_none_or(is_there) {
        return Err("does not cut the partition");
    }
    // Who expires does so by the clock, later.
    let producers =
        ProducerStates::from_snapshot(entry.base, &truncated.producers, Timestamp(now), i64::MAX);
    let producers = producers.map_err(|_| "holds no producers")?;
    partition.truncate(entry.base, kept, producers, now);
    Ok(kept.map_or(Offset(i64::MIN), |kept| kept.base))
}

/// Bytes that the manifest's state knows: they must continue those that are here.
fn push(partition: &mut Partition, piece: Piece) -> Result<(), &'static str> {
    if let Some(last) = partition.tail.pieces().next_back() {
        let continues = last.segment < piece.segment
            || (last.segment == piece.segment && last.end() == piece.position);
        if !continues {
            return Err("does not continue what was replayed before");
        }
    }
    partition.tail.push(piece);
    Ok(())
}

fn fragment(
    partition: &mut Partition,
    id: EntryId,
    entry: &Entry,
    payload: &Bytes,
) -> Result<Row, &'static str> {
    if entry.segment < partition.segments[0].base {
        // Retention has taken it since.
        return Ok(Row::FragmentKnown);
    }
    let Some((settled, reach)) =
        partition.segment(entry.segment).map(|segment| (segment.settled(), segment.length))
    else {
        return Err("names a segment that is not the partition's");
    };
    let end = entry.position + length(payload);
    if end > reach {
        return Err("reaches beyond its segment");
    }
    let mut pieces = partition.tail.pieces_from(entry.segment, entry.position);
    let first = pieces.next().map(|piece| (piece.position, piece.end()));
    let (first, known) = first.unzip();
    let known = known.map(|known| {
        pieces.fold(known, |known, piece| if piece.position == known { piece.end() } else { known })
    });
    let mut piece = Piece {
        segment: entry.segment,
        position: entry.position,
        bytes: payload.clone(),
        entry: id,
        batch: None,
    };
    match first {
        _ if end <= settled => Ok(Row::FragmentKnown),
        Some(first) if first <= entry.position.max(settled) => {
            let Some(known) = known.filter(|known| *known < end) else {
                return Ok(Row::FragmentKnown);
            };
            piece.bytes = payload.slice((known - entry.position) as usize..);
            piece.position = known;
            partition.tail.push_front_of(piece);
            Ok(Row::FragmentFirst)
        }
        Some(first) if first == end => {
            partition.tail.push_front_of(piece);
            Ok(Row::FragmentBefore)
        }
        // A later fragment begins here, too, and reaches further: otherwise there is a hole in the end.
        Some(_) => Ok(Row::FragmentSuperseded),
        None => {
            // An older segment's end may have been logged again after the beginning of the next one.
            partition.tail.push_front_of(piece);
            Ok(Row::FragmentFirst)
        }
    }
}

/// An extent is in its segment. What is below it and in memory only is to be written there again.
fn extent(
    partition: &mut Partition,
    id: EntryId,
    entry: &Entry,
    payload: &Bytes,
    known: Offset,
    now: i64,
) -> Result<Option<Rewrite>, &'static str> {
    let (headers, rest) = payload.split_at(entry.described());
    let mut position = entry.start;
    for header in headers.chunks_exact(HEADER_BYTES) {
        let header = BatchHeader::read(header).ok_or("describes no batch")?;
        let size =
            u32::try_from(header.size()).map_err(|_| "describes a batch that is too large")?;
        if header.base_offset >= known {
            place_new(partition, entry.segment, position, header.base_offset, now)?;
            partition.account(&header, &BatchInfo::of(&header, None), size);
        }
        position += size;
    }
    let end = entry.position + entry.extent;
    if entry.segment < partition.segments[0].base {
        return Ok(None);
    }
    let Some(segment) = partition.segment(entry.segment) else {
        return Err("names a segment that is not the partition's");
    };
    if segment.filed >= end + length(rest) {
        return Ok(None);
    }
    let filed = u32::try_from(block_down(u64::from(segment.filed))).unwrap_or(0);
    let rewrite = below(partition, entry, filed)?;
    if let Some(segment) = partition.segment_mut(entry.segment)
        && segment.filed < end
    {
        segment.settle(end);
    }
    partition.tail.drop_in_segment(entry.segment, end + length(rest));
    if !rest.is_empty() {
        let bytes = payload.slice(payload.len() - rest.len()..);
        push(
            partition,
            Piece { segment: entry.segment, position: end, bytes, entry: id, batch: None },
        )?;
    }
    Ok(rewrite)
}

/// The bytes between what the segment's file has for certain and the extent.
fn below(
    partition: &Partition,
    entry: &Entry,
    filed: u32,
) -> Result<Option<Rewrite>, &'static str> {
    if is(Bug::BelowExtentDropped) {
        return Ok(None);
    }
    if filed >= entry.position {
        return Ok(None);
    }
    let mut pieces = partition.tail.pieces_from(entry.segment, filed).peekable();
    let first = pieces.peek().map_or(entry.position, |piece| piece.position);
    let start = first.clamp(filed, entry.position);
    let mut bytes = Vec::new();
    for piece in pieces {
        let at = start + length(&bytes);
        if piece.position > at || at >= entry.position {
            break;
        }
        let part = &piece.bytes[(at - piece.position) as usize..];
        let room = (entry.position - at) as usize;
        bytes.extend_from_slice(&part[..part.len().min(room)]);
    }
    if start + length(&bytes) != entry.position {
        return Err("leaves a gap below an extent");
    }
    let missing = start - filed;
    Ok(Some(Rewrite { id: entry.id, segment: entry.segment, start: filed, missing, bytes }))
}

#[cfg(test)]
mod tests;
