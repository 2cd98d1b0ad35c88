//! Append: a batch gets its offsets and its place in the commit log, and is copied there once.
//!
//! A batch of at least `extent_bytes_min` goes to an *extent* instead, if the segment's file is ready for it: whole blocks,
//! from the first one that no write has been given, that are written straight to the segment in the same turn. The log
//! then gets the batch's header and the bytes behind the extent that do not fill a block.
//!
//! After `append` returns: the batch is in memory, in order, with room reserved on the disk. Not submitted yet.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::{Log, Ticket};
use crate::batch::{Batch, BatchHeader, BatchInfo, Checked, HEADER_BYTES, stamp};
use crate::commit_log::EntryId;
use crate::commit_log::commit::{Commit, ExtentWrite, Reserve};
use crate::commit_log::entry::{Entry, Kind, PREFIX_CHECKSUM_BYTES};
use crate::config::Durability;
use crate::core::count;
use crate::error::AppendError;
use crate::partition::Partition;
use crate::runtime::{BLOCK, BLOCK_U64, Runtime, block_down};
use crate::tail::{Piece, Span, length};
use crate::units::{Epoch, Offset, Timestamp};

/// The broker's marks on a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub leader_epoch: Epoch,
    /// For topics that keep append times.
    pub append_time: Option<Timestamp>,
}

/// What an append did.
#[derive(Clone)]
pub struct Appended {
    pub base_offset: Offset,
    pub last_offset: Offset,
    pub log_start: Offset,
    /// The time that the stored batch has in place of its records' own, if it has.
    pub append_time: Option<Timestamp>,
    pub ticket: Ticket,
}

/// An extent's file needs its blocks ahead of the appends: more are wanted when fewer than this are left.
const AHEAD_BYTES: u64 = 8 << 20;
/// Bytes before an extent that are written with it; with more, the drain goes first. More than a drain leaves, and what comes
/// while it writes: else a busy partition would never begin.
const EXTENT_PREFIX_MAX: u32 = 2 << 20;

impl<R: Runtime> Log<R> {
    /// Appends a checked batch. [`AppendError::NoRoom`] is retriable: nothing was given an offset.
    pub fn append(
        &self,
        batch: &Batch,
        checked: &Checked,
        marks: Stamp,
    ) -> Result<Appended, AppendError> {
        let leader_epoch = marks.leader_epoch;
        let timestamp = checked.stored_timestamp(marks.append_time);
        let stamp = |copy: &mut [u8], base| {
            stamp(copy, base, leader_epoch, checked, marks.append_time);
        };
        let mut appended = self.place(batch, (leader_epoch, timestamp), stamp)?;
        appended.append_time = marks.append_time.filter(|_| appended.append_time.is_some());
        Ok(appended)
    }

    /// Appends a batch of another log of the partition, as it is. It continues this log.
    pub(crate) fn append_as_is(&self, batch: &Batch) -> Result<Appended, AppendError> {
        debug_assert_eq!(batch.base_offset(), self.end(), "it continues the log");
        let epoch = batch.header().leader_epoch;
        self.place(batch, (epoch, batch.max_timestamp()), |_, _| {})
    }

    /// The append itself; `stamp` is given the copy and the base offset.
    fn place(
        &self,
        batch: &Batch,
        (leader_epoch, timestamp): (Epoch, Timestamp),
        stamp: impl FnOnce(&mut [u8], Offset),
    ) -> Result<Appended, AppendError> {
        let core = self.core();
        core.check_online()?;
        let mut state = self.state_mut();
        if state.deleted || core.closing.get() {
            return Err(AppendError::Deleted);
        }
        if state.truncating {
            return Err(AppendError::NoRoom("the log is being truncated"));
        }
        let mut commit = core.commit.borrow_mut();
        let size = batch.size();
        if !commit.could_fit(size) || i32::try_from(size).is_err() {
            return Err(AppendError::TooLarge(size));
        }
        let base = state.end;
        let last = base + i64::from(batch.last_offset_delta());
        let rolled = state.must_roll(length(batch.bytes()), last, timestamp, core.runtime.now());
        let as_extent = !rolled && self.takes_extent(&mut state, size);
        let (payload, beside) = if as_extent {
            (HEADER_BYTES + PREFIX_CHECKSUM_BYTES + BLOCK, size)
        } else {
            (size, 0)
        };
        let reserved = commit.reserve(payload, beside, Reserve::Keep(core.kept_for_recycling()));
        if let Err(why) = reserved {
            count(&core.counts.refused, 1);
            core.events.recycle.notify();
            return Err(AppendError::NoRoom(why));
        }
        if rolled {
            state.roll(core.runtime.now());
        }
        let stamp_copy = |copy: &mut [u8]| stamp(copy, base);
        let (entry, bytes) = if as_extent {
            self.add_extent(&mut state, &mut commit, batch, stamp_copy)
        } else {
            add_to_log(&state, &mut commit, batch, (leader_epoch, last), stamp_copy)
        };
        let header = BatchHeader::read(&bytes).expect("a stamped batch has a header");
        let was_clean = state.dirty_bytes() == 0;
        state.appended(&header, batch.info().appended_at(base, timestamp), bytes, entry);
        let flush = self.flush_is_due(&mut state, batch.count());
        let group = commit.group();
        group.flush |= flush;
        group.flush_within = group.flush_within.min(self.flush_within(&state));
        let durable = flush || core.options.durability == Durability::Sync;
        let ticket = Ticket { outcome: Rc::clone(&group.outcome), durable };
        touch(self, &mut state, group);
        core.counts.dirty_bytes.set(core.counts.dirty_bytes.get() + size);
        if was_clean {
            core.counts.dirty_logs.set(core.counts.dirty_logs.get() + 1);
        }
        count(&core.counts.batches, 1);
        count(&core.counts.batch_bytes, size);
        let log_start = state.log_start;
        drop((state, commit));
        core.events.appended.notify();
        let is_own = header.timestamp_type() == crate::batch::TimestampType::LogAppendTime;
        let append_time = is_own.then_some(timestamp);
        Ok(Appended { base_offset: base, last_offset: last, log_start, append_time, ticket })
    }

    /// Whether a batch of this size can go straight to the active segment.
    fn takes_extent(&self, state: &mut Partition, size: usize) -> bool {
        let large = size >= self.core().options.extent_bytes_min;
        if !large && !state.config.preallocate {
            return false;
        }
        let end = u64::from(state.active().length) + size as u64 + BLOCK_U64;
        let wanted = if large { end + AHEAD_BYTES } else { end };
        if state.active().allocated < wanted && !std::mem::replace(&mut state.preparing, true) {
            self.core().prepares.borrow_mut().push_back(self.clone());
            self.core().events.drain.notify();
        }
        let segment = state.active();
        let backlog = segment.length - segment.assigned;
        large
            && end <= segment.allocated
            && backlog <= EXTENT_PREFIX_MAX
            && state.has_from(segment.base, segment.assigned)
    }

    /// Copies the batch into memory of its own, behind what the log has of its first block, and hands the whole blocks to
    /// the group; the log gets the batch's header and what is left.
    fn add_extent(
        &self,
        state: &mut Partition,
        commit: &mut Commit<R>,
        batch: &Batch,
        stamp: impl FnOnce(&mut [u8]),
    ) -> (EntryId, Bytes) {
        let segment = state.active();
        let (segment_base, position, start) = (segment.base, segment.assigned, segment.length);
        let prefix = (start - position) as usize;
        let buffer = commit.extent_arena(prefix + batch.size());
        let at = buffer.len();
        for piece in state.tail.pieces_from(segment_base, position) {
            let from = position.saturating_sub(piece.position) as usize;
            buffer.append(&piece.bytes[from..]);
        }
        debug_assert_eq!(buffer.len() - at, prefix);
        let range = buffer.append_copy(batch.bytes(), stamp);
        let bytes = buffer.slice(range);
        let whole = usize::try_from(block_down((buffer.len() - at) as u64))
            .expect("it is a buffer's length");
        let rest = buffer.slice(at + whole..buffer.len());
        let blocks = buffer.slice(at..at + whole);
        let header = BatchHeader::read(&bytes).expect("a stamped batch has a header");
        let prefix_checksum = crc32c::crc32c(&buffer.filled()[at..at + prefix]).to_le_bytes();
        let payload: [&[u8]; 3] = [&bytes[..HEADER_BYTES], &prefix_checksum, &rest];
        let entry = Entry {
            payload: payload.iter().map(|part| length(part)).sum(),
            epoch: header.leader_epoch,
            segment: segment_base,
            position,
            extent: u32::try_from(whole).expect("smaller than a segment"),
            start,
            headers: 1,
            base: header.base_offset,
            next: header.last_offset().next(),
            checksum: crc32c::crc32c(&rest),
            ..Entry::new(Kind::Extent, state.id)
        };
        let id = commit.add(&entry, &payload, HEADER_BYTES + PREFIX_CHECKSUM_BYTES);
        let group = commit.group();
        group.extent_bytes += whole;
        group.extents.push(ExtentWrite {
            log: self.clone(),
            segment: segment_base,
            position,
            bytes: blocks,
        });
        state.active_mut().assign(position + entry.extent);
        count(&self.core().counts.extents, 1);
        count(&self.core().counts.extent_bytes, whole);
        (id, bytes)
    }

    /// `flush.ms`, which asks for more than the store's durability.
    fn flush_within(&self, state: &Partition) -> Duration {
        if self.core().options.durability == Durability::Sync || state.config.flush_ms == i64::MAX {
            return Duration::MAX;
        }
        Duration::from_millis(u64::try_from(state.config.flush_ms).unwrap_or(0))
    }

    /// `flush.messages`, which asks for more than the store's durability.
    fn flush_is_due(&self, state: &mut Partition, records: i32) -> bool {
        if self.core().options.durability == Durability::Sync {
            return false;
        }
        state.unflushed += i64::from(records);
        let due = state.unflushed >= state.config.flush_messages;
        if due {
            state.unflushed = 0;
        }
        due
    }
}

/// Copies the batch into the group that grows.
fn add_to_log<R: Runtime>(
    state: &Partition,
    commit: &mut Commit<R>,
    batch: &Batch,
    (epoch, last): (Epoch, Offset),
    stamp: impl FnOnce(&mut [u8]),
) -> (EntryId, Bytes) {
    let segment = state.active();
    let entry = Entry {
        payload: length(batch.bytes()),
        epoch,
        segment: segment.base,
        position: segment.length,
        base: state.end,
        next: last.next(),
        ..Entry::new(Kind::Batch, state.id)
    };
    commit.add_batch(&entry, batch.bytes(), stamp)
}

/// Takes the log into the group's list of those that it touched, once.
pub(crate) fn touch<R: Runtime>(
    log: &Log<R>,
    state: &mut Partition,
    group: &mut crate::commit_log::commit::Group<R>,
) {
    match state.touched {
        Some((sequence, index)) if sequence == group.sequence => group.touched[index].1 = state.end,
        _ => {
            state.touched = Some((group.sequence, group.touched.len()));
            group.touched.push((log.clone(), state.end));
        }
    }
}

impl Partition {
    fn must_roll(&self, size: u32, last: Offset, timestamp: Timestamp, now: i64) -> bool {
        self.active().is_full(size, last, timestamp, &self.config, now)
    }

    /// Whether memory has the active segment's bytes from here to the end.
    fn has_from(&self, segment: Offset, position: u32) -> bool {
        match self.tail.pieces_from(segment, position).next() {
            Some(piece) => piece.position <= position,
            None => self.active().length == position,
        }
    }

    /// Accounts for a batch that has its place: by the append itself, and by recovery when it finds one.
    pub(crate) fn appended(
        &mut self,
        header: &BatchHeader,
        info: BatchInfo,
        bytes: Bytes,
        entry: EntryId,
    ) {
        let segment = self.active();
        let span =
            Span { base: info.first_offset, last: info.last_offset, max_timestamp: info.timestamp };
        let piece = Piece {
            segment: segment.base,
            position: segment.length,
            bytes,
            entry,
            batch: Some(span),
        };
        let size = length(&piece.bytes);
        self.account(header, &info, size);
        self.tail.push(piece);
    }

    /// What a batch changes beside the tail.
    pub(crate) fn account(&mut self, header: &BatchHeader, info: &BatchInfo, size: u32) {
        let config = std::sync::Arc::clone(&self.config);
        self.active_mut().append(header, size, &config);
        self.epochs.assign(header.leader_epoch, info.first_offset);
        self.producers.apply(info);
        self.end = info.last_offset.next();
    }
}
