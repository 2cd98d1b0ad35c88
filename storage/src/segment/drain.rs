//! How bytes get from memory into a segment's file, off the acknowledgement path: whole blocks, in pieces of up to 1 MiB.
//!
//! Only what is written to the commit log is drained, and **no block that holds acknowledged bytes is written again**: a
//! segment that ends inside a block, as a clean stop leaves it, has that end read back, logged as a fragment and made
//! durable before its block is written.
//!
//! Nothing here is synced. The commit log keeps the bytes until recycling has synced the file ([`crate::recycle`]).

use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use ring::buffer::Aligned;

use super::files::sync_names;
use super::finish::finish;
use crate::commit_log::commit::Reserve;
use crate::commit_log::entry::{Entry, Kind};
use crate::commit_log::{EntryId, GroupSequence};
use crate::core::{Core, count};
use crate::log::Log;
use crate::partition::Partition;
use crate::planted::{Bug, is};
use crate::runtime::{BLOCK, BLOCK_U64, Dsync, How, Runtime, block_down, block_up, is_full};
use crate::tail::{Piece, length};
use crate::units::Offset;

/// One write of a drain.
const WRITE_BYTES_MAX: u32 = 1 << 20;
/// Blocks that are given to a segment at a time, ahead of its extents.
const ALLOCATE_BYTES: u64 = 16 << 20;
/// How long a drain waits for room on the disk before it tries again.
pub(crate) const FULL_DISK_PAUSE: Duration = Duration::from_millis(200);

/// What to do next for a log.
enum Step {
    Done,
    Write {
        segment: Offset,
        start: u32,
        bytes: Bytes,
        length: u32,
    },
    /// The block that ends at the log's end when it was opened is only in the file.
    LoadHead {
        segment: Offset,
        start: u32,
        end: u32,
    },
    Finish {
        segment: Offset,
    },
}

/// Drains and prepares logs until the store is stopped. Several of these run beside each other, never two for one log.
pub(crate) async fn run<R: Runtime>(core: Rc<Core<R>>) {
    loop {
        let more = core.events.drain.listen();
        if core.stopped.get() || core.check_online().is_err() {
            return;
        }
        let log = core.prepares.borrow_mut().pop_front();
        if let Some(log) = log {
            // Without room for them there are no extents: the commit log takes everything.
            let prepared = prepare(&core, &log).await;
            if let Err(error) =
                prepared.as_ref().err().filter(|error| !is_full(error)).map_or(Ok(()), Err)
            {
                core.go_offline(&format!("a segment cannot be prepared: {error}"));
            }
            log.state_mut().preparing = false;
            core.events.settled.notify();
            continue;
        }
        let log = core.drains.borrow_mut().pop_front();
        let Some(log) = log else {
            more.await;
            continue;
        };
        let drained = drain(&core, &log, Until::Little).await;
        log.state_mut().draining = false;
        if let Err(error) = &drained {
            core.go_offline(&format!("a segment cannot be written: {error}"));
        }
        core.events.settled.notify();
        if matches!(drained, Ok(true)) {
            crate::memory::give_back(&core);
        }
    }
}

/// When a drain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// What came while the rest was written is too little for a write of its own.
    Little,
    /// No whole block is left.
    Blocks,
    /// Nothing is left: the log closes.
    End,
}

/// Writes what can be written of a log. Returns whether there was anything.
pub(crate) async fn drain<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
    until: Until,
) -> io::Result<bool> {
    let mut progress = false;
    loop {
        let little = core.options.drain_bytes as u64 / 2;
        let enough = until == Until::Little && progress && log.state().undrained() < little;
        if enough || log.state().deleted {
            return Ok(progress);
        }
        let written = core.commit.borrow().marks.written;
        let step = log.state_mut().next_step(written, until == Until::End);
        match step {
            Step::Done => return Ok(progress),
            Step::LoadHead { segment, start, end } => {
                load_head(core, log, segment, start, end).await?
            }
            Step::Finish { segment } => match finish(core, log, segment).await {
                Err(error) if is_full(&error) && !core.closing.get() => {
                    core.wait_out_full_disk().await;
                }
                other => other?,
            },
            Step::Write { segment, start, bytes, length } => {
                count(&core.counts.drains, 1);
                count(&core.counts.drain_bytes, bytes.len());
                write(core, log, segment, start, bytes).await?;
                log.filed(segment, start, length);
            }
        }
        progress = true;
    }
}

/// A full disk is waited out: the commit log still holds the bytes, and appends stop when it is full.
async fn write<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
    segment: Offset,
    start: u32,
    bytes: Bytes,
) -> io::Result<()> {
    loop {
        let written = async {
            let file = core.files.writable(core, log, segment).await?;
            core.runtime.write_at(&file, bytes.clone(), u64::from(start), Dsync::No).await
        };
        match written.await {
            // Who deletes to make room waits for this.
            Err(error) if is_full(&error) && log.state().deleted => return Ok(()),
            Err(error) if is_full(&error) && is(Bug::FullTakenForWritten) => return Ok(()),
            Err(error) if is_full(&error) && !core.closing.get() => core.wait_out_full_disk().await,
            other => return other,
        }
    }
}

impl Partition {
    /// Bytes of whole blocks, and of rolled segments, that no write has been given.
    pub(crate) fn undrained(&self) -> u64 {
        let active = self.active().base;
        let unfinished = self.segments.iter().rev().take_while(|segment| !segment.finished);
        unfinished
            .map(|segment| match segment.base == active {
                true => block_down(u64::from(segment.length - segment.assigned)),
                false => u64::MAX / 4,
            })
            .fold(0, u64::saturating_add)
    }

    fn next_step(&mut self, written: GroupSequence, close: bool) -> Step {
        let active = self.active().base;
        let first = self.segments.partition_point(|segment| segment.finished);
        let Some(segment) = self.segments.get(first) else { return Step::Done };
        let (base, start, end) = (segment.base, segment.assigned, segment.length);
        let to_end = close || base != active;
        if segment.is_filed() {
            return if base == active { Step::Done } else { Step::Finish { segment: base } };
        }
        if start == end || (!to_end && end - start < length(&[0; BLOCK])) {
            return Step::Done;
        }
        let pieces = self.tail.pieces_from(base, start);
        let Some((position, bytes)) = gather(pieces, start, written) else { return Step::Done };
        if position > start {
            return Step::LoadHead { segment: base, start, end: position };
        }
        let got = start + length(&bytes);
        let end = if to_end && got == end { got } else { whole_blocks(got) };
        if end <= start {
            return Step::Done;
        }
        let bytes = padded(bytes, (end - start) as usize);
        if let Some(segment) = self.segment_mut(base) {
            segment.assign(end);
        }
        Step::Write { segment: base, start, bytes, length: end - start }
    }
}

fn whole_blocks(position: u32) -> u32 {
    u32::try_from(block_down(u64::from(position))).unwrap_or(position)
}

/// The bytes from `start` on that are in memory and in complete groups, up to the bound of one write, and the position of
/// the first of them.
fn gather<'a>(
    pieces: impl Iterator<Item = &'a Piece>,
    start: u32,
    written: GroupSequence,
) -> Option<(u32, Aligned)> {
    let pieces: Vec<&Piece> =
        pieces.take_while(|piece| piece.entry.group <= written).take(1 << 16).collect();
    let first = pieces.first()?.position.max(start);
    let bytes = pieces
        .iter()
        .map(|piece| piece.end() - piece.position.max(start))
        .fold(0, u32::saturating_add);
    let capacity = bytes.min(WRITE_BYTES_MAX);
    let mut out = Aligned::with_capacity((capacity as usize).next_multiple_of(BLOCK));
    for piece in pieces {
        let from = start.saturating_sub(piece.position) as usize;
        let room = capacity as usize - out.len();
        let part = &piece.bytes[from..];
        out.extend_from_slice(&part[..part.len().min(room)]);
        if part.len() >= room {
            break;
        }
    }
    Some((first, out))
}

fn padded(mut bytes: Aligned, length: usize) -> Bytes {
    bytes.truncate(length);
    bytes.pad_to(length.next_multiple_of(BLOCK));
    bytes.freeze(..)
}

/// Reads the beginning of the block in which the log went on, logs it and waits until that is durable: only then may
/// the block be written.
async fn load_head<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
    segment: Offset,
    start: u32,
    end: u32,
) -> io::Result<()> {
    let path =
        log.state().directory.join(super::files::file_name(segment, super::files::Kind::Log));
    let file = core.runtime.open(&path, How::Read).await?;
    let head = core.runtime.read_at(&file, u64::from(start), (end - start) as usize).await?;
    if head.len() != (end - start) as usize {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{} is too short", path.display()),
        ));
    }
    let entry = if is(Bug::CleanEndNotLogged) {
        let state = log.state();
        let next = state.tail.pieces_from(segment, end).next().map(|piece| piece.entry);
        next.unwrap_or_default()
    } else {
        let entry = log_fragment(core, log, segment, start, &head).await?;
        let Some(entry) = entry else { return Ok(()) };
        let waited = if is(Bug::CleanEndNotWaitedFor) {
            core.written(entry.group).await
        } else {
            core.durable(entry.group).await
        };
        waited.map_err(|offline| io::Error::other(offline.0))?;
        entry
    };
    let head = Piece { segment, position: start, bytes: head, entry, batch: None };
    log.state_mut().tail.push_front_of(head);
    Ok(())
}

/// Adds a fragment to the log, out of what is kept for recycling if need be. Not for a partition that was deleted: its last entry says so.
pub(crate) async fn log_fragment<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
    segment: Offset,
    position: u32,
    bytes: &[u8],
) -> io::Result<Option<EntryId>> {
    loop {
        let room = core.events.room.listen();
        if log.state().deleted {
            return Ok(None);
        }
        if let Some(entry) = add_fragment(core, log, segment, position, bytes) {
            core.events.appended.notify();
            return Ok(Some(entry));
        }
        core.check_online().map_err(|offline| io::Error::other(offline.0))?;
        if core.stopped.get() {
            return Err(io::Error::other("the store has ended"));
        }
        core.events.recycle.notify();
        room.await;
    }
}

fn add_fragment<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
    segment: Offset,
    position: u32,
    bytes: &[u8],
) -> Option<EntryId> {
    let mut commit = core.commit.borrow_mut();
    commit.reserve(bytes.len(), 0, Reserve::Use).ok()?;
    let mut state = log.state_mut();
    let entry = Entry {
        payload: length(bytes),
        segment,
        position,
        start: position + length(bytes),
        base: state.end,
        next: state.end,
        checksum: crc32c::crc32c(bytes),
        ..Entry::new(Kind::Fragment, log.id())
    };
    let id = commit.add(&entry, &[bytes], 0);
    crate::log::touch(log, &mut state, commit.group());
    Some(id)
}

/// Makes the active segment's file ready for extents: it exists under a durable name and has blocks ahead.
async fn prepare<R: Runtime>(core: &Core<R>, log: &Log<R>) -> io::Result<()> {
    if log.state().deleted {
        return Ok(());
    }
    let (segment, length, allocated, whole) = {
        let state = log.state();
        let active = state.active();
        let whole = if state.config.preallocate { state.config.segment_bytes } else { 0 };
        (active.base, u64::from(active.length), active.allocated, u64::try_from(whole).unwrap_or(0))
    };
    let file = core.files.writable(core, log, segment).await?;
    let from = allocated.max(block_up(length));
    let to = (from + ALLOCATE_BYTES.max(BLOCK_U64)).max(block_up(whole));
    core.runtime.fallocate(&file, from, to - from, false).await?;
    sync_names(core, log).await?;
    if let Some(segment) = log.state_mut().segment_mut(segment) {
        segment.allocated = to;
    }
    Ok(())
}
