//! Goes through what a segment's file holds: every header, every CRC, and whether the indexes agree. What is bad is marked, an index that
//! is wrong is built anew. For the scrubber, and for reads that suspect something.
//!
//! The file is read past the page cache, so that it is the drive that answers, and no reader's pages are driven out.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use bytes::Bytes;

use super::chain::Chain;
use super::indexes::{Compare, Wrong};
use super::walk::{Bad, Met, Walk};
use super::{Mark, indexes};
use crate::batch::BatchHeader;
use crate::core::{Core, count};
use crate::log::Log;
use crate::pace::{Paced, Stopped};
use crate::planted::{Bug, is};
use crate::recycle::{let_go, take_alone};
use crate::runtime::{How, Runtime, block_down, block_up};
use crate::segment::Segment;
use crate::segment::files::{Kind, file_name};
use crate::units::Offset;

/// Why nothing came of it.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The store ends.
    Stopped,
    /// Retention, deletion or compaction has taken the segment.
    Moved,
    /// The disk answered a read with an error, at this position.
    Unreadable(u64, io::Error),
}

impl From<Stopped> for Trouble {
    fn from(_: Stopped) -> Trouble {
        Trouble::Stopped
    }
}

/// Examines one segment, and does what is to be done. True if something was wrong.
pub(crate) async fn examine<R: Runtime>(
    core: &Rc<Core<R>>,
    log: &Log<R>,
    base: Offset,
    pace: &Paced<R>,
) -> Result<bool, Trouble> {
    log.learn_damage().await;
    let Some(look) = Look::begin(log, base, pace).await? else { return Ok(false) };
    let Some(look) = look.or_lost(core).await else { return Ok(true) };
    let mut compare = Compare::new(base, &look.offsets, &look.times);
    let mut marks: Vec<Mark> = Vec::new();
    let walk = look
        .walk(&mut |met| match met {
            Step::Batch(position, header) => compare.batch(position, header),
            Step::Marked(mark) => {
                compare.skip(mark);
                marks.push(mark.clone());
            }
        })
        .await?;
    if walk.has_gap()
        && let Some(segment) = log.state_mut().segment_mut(base)
    {
        segment.has_gaps = true;
    }
    let (at, end) = ((walk.position(), walk.next()), (look.length, look.chain.below));
    let wrong = compare.end(at, end, look.is_final).or(look.unread);
    let found = !marks.is_empty() || wrong.any();
    if !marks.is_empty() {
        super::mark(core, log, marks).await;
    }
    if wrong.any() && !is(Bug::IndexNotRebuilt) {
        let built = look.build().await?;
        indexes::replace(core, log, (base, look.generation), &built, wrong).await?;
    }
    Ok(found)
}

async fn open<R: Runtime>(log: &Log<R>, base: Offset) -> io::Result<R::File> {
    let path = log.state().directory.join(file_name(base, Kind::Log));
    log.core().runtime.open(&path, How::Write).await
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

/// What a walk comes across.
enum Step<'a> {
    Batch(u64, &'a BatchHeader),
    Marked(&'a Mark),
}

/// One segment as it is when it is examined.
pub(super) struct Look<'a, R: Runtime> {
    pub(super) log: &'a Log<R>,
    pub(super) base: Offset,
    pub(super) generation: u64,
    pub(super) chain: Chain,
    pub(super) length: u64,
    filed: Cell<u64>,
    is_final: bool,
    /// None if it is missing.
    file: Option<R::File>,
    pub(super) offsets: Bytes,
    times: Bytes,
    /// Indexes that could not be read.
    unread: Wrong,
    pace: &'a Paced<R>,
}

impl<'a, R: Runtime> Look<'a, R> {
    /// None where no file is to be looked at.
    async fn begin(
        log: &'a Log<R>,
        base: Offset,
        pace: &'a Paced<R>,
    ) -> Result<Option<Look<'a, R>>, Trouble> {
        let generation = log.state().generation(base).ok_or(Trouble::Moved)?;
        // Now, or the file may come into being while it is looked for.
        if log.state().segment(base).is_none_or(|segment| segment.filed == 0) {
            return Ok(None);
        }
        let mut opened = open(log, base).await;
        if opened.as_ref().is_err_and(is_missing) {
            // A partition that moves gives its directory another name: while nobody else is at it, it has the one that is known.
            let core = log.core();
            take_alone(core, log).await.map_err(|_| Trouble::Stopped)?;
            opened = open(log, base).await;
            let_go(core, log);
        }
        let offsets = log.index_bytes(base, Kind::OffsetIndex).await;
        let times = log.index_bytes(base, Kind::TimeIndex).await;
        let state = log.state();
        if state.generation(base) != Some(generation) {
            return Err(Trouble::Moved);
        }
        let Some(segment) = state.segment(base) else { return Ok(None) };
        let file = match opened {
            Err(error) if is_missing(&error) => None,
            other => Some(other.map_err(|error| Trouble::Unreadable(0, error))?),
        };
        let unread = Wrong { offsets: offsets.is_err(), times: times.is_err() };
        Ok(Some(Look {
            log,
            base,
            generation,
            chain: Chain::of(&state, segment),
            length: u64::from(segment.length),
            filed: Cell::new(u64::from(segment.filed)),
            is_final: segment.finished,
            file,
            offsets: offsets.unwrap_or_default(),
            times: times.unwrap_or_default(),
            unread,
            pace,
        }))
    }

    /// None, and everything marked, if the file is not there at all.
    async fn or_lost(self, core: &Rc<Core<R>>) -> Option<Look<'a, R>> {
        if self.file.is_some() {
            return Some(self);
        }
        let mark = self.to(0, self.base, (self.length, self.chain.below), "the file is missing");
        super::mark(core, self.log, vec![mark]).await;
        None
    }

    pub(super) fn to(&self, position: u64, from: Offset, end: (u64, Offset), what: &str) -> Mark {
        let found = self.log.core().runtime.now();
        let (end, to) = end;
        Mark { segment: self.base, position, end, from, to, found, what: what.to_owned() }
    }

    /// All batches that the file holds.
    async fn walk(&self, each: &mut impl FnMut(Step<'_>)) -> Result<Walk, Trouble> {
        let mut walk = Walk::new(self.chain, 0, self.length);
        loop {
            let at = walk.wants();
            if at >= self.length || (walk.is_between() && at >= self.filed.get()) {
                break;
            }
            let piece = self.read(at, self.pace.io_bytes()).await?;
            let mut rest = &piece[..];
            let mut met = None;
            if piece.is_empty() {
                met = Some(self.ends(&walk));
            }
            while met.is_none() {
                match walk.feed(&mut rest, &self.log.state().epochs) {
                    Some(Met::Batch(position, header)) => each(Step::Batch(position, &header)),
                    Some(Met::Bad(bad)) => met = Some(bad),
                    None => break,
                }
            }
            if let Some(bad) = met {
                let Some(mark) = self.resync(bad).await? else { break };
                walk.jump(mark.end, mark.to);
                each(Step::Marked(&mark));
            }
            self.pace.spent(piece.len()).await?;
        }
        if !walk.is_between()
            && let Some(mark) = self.resync(self.ends(&walk)).await?
        {
            walk.jump(mark.end, mark.to);
            each(Step::Marked(&mark));
        }
        Ok(walk)
    }

    fn ends(&self, walk: &Walk) -> Bad {
        let what = "the file ends inside the segment".to_owned();
        Bad { position: walk.position(), next: walk.next(), header: None, end: None, what }
    }

    /// Up to `want` bytes of the segment, fewer where the file ends; none if it ends before.
    pub(super) async fn read(&self, at: u64, want: usize) -> Result<Bytes, Trouble> {
        let want = u64::try_from(want).unwrap_or(u64::MAX).min(self.length - at);
        loop {
            let filed = self.filed.get();
            if at < filed
                && let Some(file) = &self.file
            {
                return self.read_file(file, at, want.min(filed - at)).await;
            }
            // What no file has yet is in memory, or comes into the file just now.
            let state = self.log.state();
            if state.generation(self.base) != Some(self.generation) {
                return Err(Trouble::Moved);
            }
            let bytes = state.bytes_in_memory(self.base, at, at + want);
            if !bytes.is_empty() {
                return Ok(bytes);
            }
            let now = state.segment(self.base).map_or(0, |segment| u64::from(segment.filed));
            if now <= at {
                return Ok(Bytes::new());
            }
            self.filed.set(now.min(self.length));
        }
    }

    async fn read_file(&self, file: &R::File, at: u64, want: u64) -> Result<Bytes, Trouble> {
        let core = self.log.core();
        let start = block_down(at);
        let length = usize::try_from(block_up(at + want) - start).unwrap_or(usize::MAX);
        self.pace.moved(length).await?;
        let read = core.runtime.read_at(file, start, length).await;
        if self.log.state().generation(self.base) != Some(self.generation) {
            return Err(Trouble::Moved);
        }
        let bytes = read.map_err(|error| Trouble::Unreadable(at, error))?;
        count(&core.counts.examined_bytes, bytes.len());
        let from = usize::try_from(at - start).unwrap_or(usize::MAX).min(bytes.len());
        let end = usize::try_from(at + want - start).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.slice(from..end))
    }

    /// The indexes that this segment should have, by the rules of an append.
    async fn build(&self) -> Result<Segment, Trouble> {
        let mut built = Segment::new(self.base, 0);
        let config = std::sync::Arc::clone(&self.log.state().config);
        self.walk(&mut |met| {
            if let Step::Batch(position, header) = met {
                built.length = u32::try_from(position).unwrap_or(u32::MAX);
                let size = u32::try_from(header.size()).unwrap_or(u32::MAX);
                built.append(header, size, &config);
            }
        })
        .await?;
        if self.is_final {
            built.add_time_entry();
        }
        Ok(built)
    }
}
