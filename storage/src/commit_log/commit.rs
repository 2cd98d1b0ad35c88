//! The commit log under construction: the group that grows, those that wait for their turn, the marks, the files.
//!
//! Adding an entry is synchronous: it is in memory, has its place in the order of all entries, and room on the disk is
//! reserved for it. Nothing here writes; [`super::committer`] does.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use ring::buffer::AppendBuffer;

use super::entry::{ENTRY_BYTES, Entry};
use super::files::{Files, LogFile};
use super::group::{Builder, Closed, GROUP_HEADER_BYTES};
use super::marks::Marks;
use super::{EntryId, GroupSequence, LogId};
use crate::buffers::Slabs;
use crate::log::Log;
use crate::runtime::{BLOCK, Runtime, block_up};
use crate::units::Offset;

/// What resolves the tickets of one group: one list of wakers.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) written: Cell<bool>,
    pub(crate) durable: Cell<bool>,
    pub(crate) failed: RefCell<Option<crate::error::Offline>>,
    pub(crate) waiting: RefCell<Vec<Waker>>,
}

impl Outcome {
    pub(crate) fn wake(&self) {
        for waker in std::mem::take(&mut *self.waiting.borrow_mut()) {
            waker.wake();
        }
    }
}

/// Whole blocks that go straight to a segment with a group.
pub(crate) struct ExtentWrite<R: Runtime> {
    pub(crate) log: Log<R>,
    pub(crate) segment: Offset,
    pub(crate) position: u32,
    pub(crate) bytes: Bytes,
}

/// A group and everything that goes with it, until it is complete (and, under `written`, synced).
pub(crate) struct Group<R: Runtime> {
    pub(crate) sequence: GroupSequence,
    pub(crate) outcome: Rc<Outcome>,
    /// Who has entries in it, and where their log ended with it.
    pub(crate) touched: Vec<(Log<R>, Offset)>,
    pub(crate) extents: Vec<ExtentWrite<R>>,
    pub(crate) extent_bytes: usize,
    /// Somebody waits for its sync.
    pub(crate) flush: bool,
    /// A topic's `flush.ms` wants its sync within this time.
    pub(crate) flush_within: Duration,
    /// Once written: the files that a sync of it covers.
    pub(crate) log_file: Option<Rc<LogFile<R>>>,
    pub(crate) files: Vec<(Log<R>, Offset, R::File)>,
}

struct Growing<R: Runtime> {
    builder: Builder,
    /// Blocks at its place in the file.
    room: usize,
    group: Group<R>,
}

struct Waiting<R: Runtime> {
    closed: Closed,
    arena: Rc<RefCell<AppendBuffer>>,
    file: Rc<LogFile<R>>,
    position: u64,
    group: Group<R>,
}

/// A group that is ready to be written.
pub(crate) struct Sealed<R: Runtime> {
    pub(crate) bytes: Bytes,
    pub(crate) file: Rc<LogFile<R>>,
    pub(crate) position: u64,
    pub(crate) mark: GroupSequence,
    pub(crate) group: Group<R>,
}

/// See the head of the file.
pub(crate) struct Commit<R: Runtime> {
    pub(crate) id: LogId,
    pub(crate) shards: u32,
    /// Checksum of the group before the next one that is sealed.
    pub(crate) previous: u32,
    /// The group that grows now, or the next one.
    pub(crate) next: GroupSequence,
    pub(crate) marks: Marks,
    /// The last group that has entries.
    pub(crate) last_content: GroupSequence,
    pub(crate) files: Files<R>,
    arena: Rc<RefCell<AppendBuffer>>,
    /// Where extents are put together.
    extent_arena: AppendBuffer,
    slabs: Slabs,
    group_bytes_max: usize,
    growing: Option<Growing<R>>,
    waiting: VecDeque<Waiting<R>>,
    /// The store has ended: nothing is added any more.
    abandoned: bool,
    pub(crate) in_flight: Option<Rc<Outcome>>,
    /// Written and not synced yet, oldest first.
    pub(crate) unsynced: VecDeque<Group<R>>,
}

/// Who asks for room: recycling may use what is kept for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reserve {
    /// Leaves this much to recycling.
    Keep(u64),
    Use,
}

impl<R: Runtime> Commit<R> {
    pub(crate) fn new(
        id: LogId,
        shards: u32,
        files: Files<R>,
        slabs: Slabs,
        group_bytes_max: usize,
    ) -> Self {
        Commit {
            id,
            shards,
            previous: 0,
            next: GroupSequence(1),
            marks: Marks::default(),
            last_content: GroupSequence(0),
            files,
            arena: Rc::new(RefCell::new(AppendBuffer::new(BLOCK))),
            extent_arena: AppendBuffer::new(BLOCK),
            slabs,
            group_bytes_max,
            growing: None,
            waiting: VecDeque::new(),
            abandoned: false,
            in_flight: None,
            unsynced: VecDeque::new(),
        }
    }

    /// Sees to it that an entry with this payload, and `beside` bytes written beside the log, can be added next.
    pub(crate) fn reserve(
        &mut self,
        payload: usize,
        beside: usize,
        reserve: Reserve,
    ) -> Result<(), &'static str> {
        if self.abandoned {
            return Err("the store has ended");
        }
        let need = ENTRY_BYTES + payload;
        if let Some(growing) = &self.growing {
            let length = growing.builder.length(&self.arena.borrow());
            let fits = length + need <= growing.room
                && self.arena.borrow().remaining() >= need.next_multiple_of(BLOCK);
            // A group that recycling opened has room for recycling: nobody else may fill it with what is kept for that.
            let more = block_up((length + need) as u64);
            let is_kept = match reserve {
                Reserve::Keep(kept) if more > block_up(length as u64) => {
                    self.files.room_after(more).is_some_and(|left| left >= kept)
                }
                _ => true,
            };
            let fits = fits && is_kept;
            let carried = length + growing.group.extent_bytes;
            if fits && carried + payload + beside <= self.group_bytes_max {
                return Ok(());
            }
            if fits && beside > 0 && growing.group.extent_bytes == 0 && length < BLOCK {
                // A large batch with next to nothing before it: no reason for a group of its own.
                return Ok(());
            }
        }
        let length = block_up((GROUP_HEADER_BYTES + need) as u64);
        let kept = match reserve {
            Reserve::Keep(kept) => kept,
            Reserve::Use => 0,
        };
        self.close();
        match self.files.room_after(length) {
            Some(left) if left >= kept => {}
            Some(_) => return Err("the oldest log file is being recycled"),
            None if length > self.files.file_bytes => {
                return Err("the batch is larger than a log file");
            }
            None => return Err("no log file is free"),
        }
        self.open(length, kept);
        Ok(())
    }

    /// Whether a batch of this size could ever be logged.
    pub(crate) fn could_fit(&self, payload: usize) -> bool {
        block_up((GROUP_HEADER_BYTES + ENTRY_BYTES + payload) as u64) <= self.files.file_bytes
    }

    /// A new group for at least `length` bytes, in whole blocks.
    fn open(&mut self, length: u64, kept: u64) {
        let least = usize::try_from(length).expect("smaller than a file");
        if self.arena.borrow().remaining() < least {
            let fresh = Rc::new(RefCell::new(self.slabs.take(least)));
            let old = std::mem::replace(&mut self.arena, fresh);
            self.retire(old);
        }
        let in_file = self.files.file_bytes - self.files.cursor;
        let place = if length <= in_file { in_file } else { self.files.file_bytes };
        // What is kept for recycling may not be eaten by a group that was opened while there was enough.
        let spare = self.files.room_after(length).unwrap_or(0).saturating_sub(kept);
        let room = usize::try_from(place.min(length + spare)).unwrap_or(usize::MAX) / BLOCK * BLOCK;
        let builder = Builder::new(&mut self.arena.borrow_mut());
        self.growing = Some(Growing { builder, room, group: Group::new(self.next) });
    }

    /// An arena that nobody will append to any more; it is used again when its last slice is gone.
    fn retire(&mut self, arena: Rc<RefCell<AppendBuffer>>) {
        if let Ok(arena) = Rc::try_unwrap(arena) {
            self.slabs.retire(arena.into_inner());
        }
    }

    /// A buffer with room for `bytes` more, at a block: where an extent is put together.
    pub(crate) fn extent_arena(&mut self, bytes: usize) -> &mut AppendBuffer {
        let padding = self.extent_arena.len().next_multiple_of(BLOCK) - self.extent_arena.len();
        if self.extent_arena.remaining() >= padding + bytes {
            self.extent_arena.append_with(padding, |_| {});
        } else {
            let fresh = self.slabs.take(bytes);
            self.slabs.retire(std::mem::replace(&mut self.extent_arena, fresh));
        }
        &mut self.extent_arena
    }

    /// The group that grows takes its place in the order of writes.
    pub(crate) fn close(&mut self) {
        let Some(growing) = self.growing.take() else { return };
        let length = growing.builder.length(&self.arena.borrow());
        let closed = growing.builder.close(&mut self.arena.borrow_mut());
        let (file, position) = self
            .files
            .place(self.next, block_up(length as u64))
            .expect("its room was reserved when it was opened");
        let arena = Rc::clone(&self.arena);
        self.waiting.push_back(Waiting { closed, arena, file, position, group: growing.group });
        self.next = self.next.next();
    }

    /// The group that grows. Only after [`Commit::reserve`].
    pub(crate) fn group(&mut self) -> &mut Group<R> {
        &mut self.growing.as_mut().expect("room was reserved").group
    }

    /// Adds a batch; see [`Builder::add_batch`]. Only after [`Commit::reserve`].
    pub(crate) fn add_batch(
        &mut self,
        entry: &Entry,
        batch: &[u8],
        stamp: impl FnOnce(&mut [u8]),
    ) -> (EntryId, Bytes) {
        let growing = self.growing.as_mut().expect("room was reserved");
        let (ordinal, bytes) =
            growing.builder.add_batch(&mut self.arena.borrow_mut(), entry, batch, stamp);
        self.last_content = growing.group.sequence;
        (EntryId { group: growing.group.sequence, ordinal }, bytes)
    }

    /// Adds any other entry; see [`Builder::add`]. Only after [`Commit::reserve`].
    pub(crate) fn add(&mut self, entry: &Entry, payload: &[&[u8]], covered: usize) -> EntryId {
        let growing = self.growing.as_mut().expect("room was reserved");
        let ordinal = growing.builder.add(&mut self.arena.borrow_mut(), entry, payload, covered);
        self.last_content = growing.group.sequence;
        EntryId { group: growing.group.sequence, ordinal }
    }

    /// An empty group, which carries the durable mark. False if there is no room for it.
    pub(crate) fn open_empty(&mut self) -> bool {
        let has_room = self.files.room_after(BLOCK as u64).is_some();
        if self.growing.is_some() || self.abandoned || !has_room {
            return false;
        }
        self.open(BLOCK as u64, 0);
        true
    }

    /// The next group to be written, which carries the durable mark of now.
    pub(crate) fn seal_next(&mut self) -> Option<Sealed<R>> {
        if self.waiting.is_empty() {
            self.close();
        }
        let waiting = self.waiting.pop_front()?;
        let mark = self.marks.durable;
        let names = (self.id, waiting.group.sequence, mark);
        if waiting.position == 0 {
            self.files.sealed_first(waiting.group.sequence, self.id, self.previous);
        }
        let (bytes, checksum) =
            waiting.closed.seal(&mut waiting.arena.borrow_mut(), names, self.shards, self.previous);
        self.previous = checksum;
        if !Rc::ptr_eq(&waiting.arena, &self.arena) {
            self.retire(waiting.arena);
        }
        self.in_flight = Some(Rc::clone(&waiting.group.outcome));
        Some(Sealed {
            bytes,
            file: waiting.file,
            position: waiting.position,
            mark,
            group: waiting.group,
        })
    }

    /// The store ends: groups that were not submitted will not be written, nor those synced that are written. What its tasks are still at
    /// finds no room.
    pub(crate) fn abandon(&mut self) {
        self.abandoned = true;
        self.fail_all("the store has ended");
        self.growing = None;
        self.waiting.clear();
        self.unsynced.clear();
    }

    /// Everybody who waits for a group is told that it will not be.
    pub(crate) fn fail_all(&mut self, why: &str) {
        let outcomes = self.growing.iter().map(|growing| &growing.group.outcome);
        let outcomes = outcomes.chain(self.waiting.iter().map(|waiting| &waiting.group.outcome));
        let outcomes = outcomes
            .chain(self.in_flight.iter())
            .chain(self.unsynced.iter().map(|group| &group.outcome));
        for outcome in outcomes {
            *outcome.failed.borrow_mut() = Some(crate::error::Offline(why.to_owned()));
            outcome.wake();
        }
    }
}

impl<R: Runtime> Group<R> {
    fn new(sequence: GroupSequence) -> Self {
        Group {
            sequence,
            outcome: Rc::default(),
            touched: Vec::new(),
            extents: Vec::new(),
            extent_bytes: 0,
            flush: false,
            flush_within: Duration::MAX,
            log_file: None,
            files: Vec::new(),
        }
    }
}
