//! The end of a partition that is in memory: what no segment has yet, and, in front of it, what readers may still want.
//!
//! Pieces are contiguous in offsets and in positions (after a recovery, an extent may lie between two). A piece is *dirty* until its segment holds all of it; dirty pieces
//! are never dropped. The bytes are slices of group buffers, so a piece is dropped when its group's memory is given back.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::commit_log::{EntryId, GroupSequence};
use crate::units::{Offset, Timestamp};

/// Bytes of a segment that are in memory.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// Base offset of the segment.
    pub(crate) segment: Offset,
    pub(crate) position: u32,
    pub(crate) bytes: Bytes,
    /// The entry of the commit log that holds them.
    pub(crate) entry: EntryId,
    /// The whole batch that this is; `None` for bytes that are only the end of one (they come before all batches).
    pub(crate) batch: Option<Span>,
}

/// The offsets of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) base: Offset,
    pub(crate) last: Offset,
    pub(crate) max_timestamp: Timestamp,
}

impl Piece {
    pub(crate) fn end(&self) -> u32 {
        self.position + length(&self.bytes)
    }
}

/// A length that was checked to fit a segment.
pub(crate) fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a segment is smaller than 2 GiB")
}

/// See the head of the file.
#[derive(Default, Debug)]
pub(crate) struct Tail {
    pieces: VecDeque<Piece>,
    /// From this offset on everything is here in whole batches.
    readable: Option<Offset>,
}

impl Tail {
    pub(crate) fn push(&mut self, piece: Piece) {
        debug_assert!(self.pieces.back().is_none_or(|last| {
            last.segment < piece.segment
                || (last.segment == piece.segment && last.end() == piece.position)
        }));
        match piece.batch {
            Some(span) => {
                let last = self.pieces.back().and_then(|piece| piece.batch);
                if self.readable.is_none() || last.is_none_or(|last| last.last.next() != span.base)
                {
                    self.readable = Some(span.base);
                }
            }
            None => self.readable = None,
        }
        self.pieces.push_back(piece);
    }

    /// Puts bytes that are not a whole batch in front of those of the same segment that follow them.
    pub(crate) fn push_front_of(&mut self, piece: Piece) {
        let index = self.pieces.partition_point(|other| {
            (other.segment, other.position) < (piece.segment, piece.position)
        });
        self.pieces.insert(index, piece);
        let first = self.pieces.range(index..).find_map(|piece| piece.batch).map(|span| span.base);
        self.readable = self
            .readable
            .and(first)
            .map(|first| self.readable.map_or(first, |readable| readable.max(first)));
    }

    fn pop_front(&mut self) {
        self.pieces.pop_front();
        self.front_changed();
    }

    /// The first piece went, or is no whole batch any more.
    fn front_changed(&mut self) {
        let first = self.pieces.iter().find_map(|piece| piece.batch).map(|span| span.base);
        self.readable = match (self.readable, first) {
            (Some(readable), Some(first)) => Some(readable.max(first)),
            _ => None,
        };
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn pieces(&self) -> impl DoubleEndedIterator<Item = &Piece> {
        self.pieces.iter()
    }

    /// First offset from which on everything is in memory, in whole batches.
    pub(crate) fn first_offset(&self) -> Option<Offset> {
        self.readable
    }

    /// The batches from the one that holds `offset` on.
    pub(crate) fn batches_from(&self, offset: Offset) -> impl Iterator<Item = (&Piece, Span)> {
        let start =
            self.pieces.partition_point(|piece| piece.batch.is_none_or(|span| span.last < offset));
        self.pieces.range(start..).filter_map(|piece| piece.batch.map(|span| (piece, span)))
    }

    /// The pieces that hold bytes of `segment` at or after `position`.
    pub(crate) fn pieces_from(
        &self,
        segment: Offset,
        position: u32,
    ) -> impl Iterator<Item = &Piece> {
        let start = self.pieces.partition_point(|piece| {
            piece.segment < segment || (piece.segment == segment && piece.end() <= position)
        });
        self.pieces.range(start..).take_while(move |piece| piece.segment == segment)
    }

    /// Drops what is in front, as long as it belongs to groups up to `group` and `clean` says that its segment has it.
    /// Returns the first piece of those groups that had to stay.
    pub(crate) fn give_back(
        &mut self,
        group: GroupSequence,
        clean: impl Fn(&Piece) -> bool,
    ) -> Option<&mut Piece> {
        while self.pieces.front().is_some_and(|piece| piece.entry.group <= group && clean(piece)) {
            self.pop_front();
        }
        self.pieces.front_mut().filter(|piece| piece.entry.group <= group)
    }

    /// Gives what is left of groups up to this one memory of its own: of the first piece only what its segment does not
    /// have, for that piece may be the end of a large batch.
    pub(crate) fn move_out(&mut self, group: GroupSequence, filed: impl Fn(&Piece) -> u32) {
        let left = self.pieces.iter_mut().take_while(|piece| piece.entry.group <= group);
        for (index, piece) in left.enumerate() {
            let cut = match index {
                0 => filed(piece).clamp(piece.position, piece.end()) - piece.position,
                _ => 0,
            };
            piece.bytes = Bytes::copy_from_slice(&piece.bytes[cut as usize..]);
            if cut > 0 {
                piece.position += cut;
                piece.batch = None;
            }
        }
        self.front_changed();
    }

    /// Forgets everything below this place: the segment has it, or is gone.
    pub(crate) fn drop_below(&mut self, segment: Offset, position: u32) {
        while let Some(front) = self.pieces.front_mut() {
            if (front.segment, front.position) >= (segment, position) {
                return;
            }
            if front.segment < segment || front.end() <= position {
                self.pop_front();
                continue;
            }
            let cut = (position - front.position) as usize;
            front.bytes = front.bytes.slice(cut..);
            front.position = position;
            front.batch = None;
            self.front_changed();
        }
    }

    /// Forgets everything from this place on: the log ends there.
    pub(crate) fn cut(&mut self, segment: Offset, position: u32) {
        while let Some(back) = self.pieces.back_mut() {
            if (back.segment, back.end()) <= (segment, position) {
                break;
            }
            if back.segment == segment && back.position < position {
                debug_assert!(back.batch.is_none(), "a log is cut between batches");
                back.bytes.truncate((position - back.position) as usize);
                break;
            }
            self.pieces.pop_back();
        }
        let last = self.pieces.iter().rev().find_map(|piece| piece.batch);
        self.readable =
            self.readable.filter(|readable| last.is_some_and(|last| last.last >= *readable));
    }

    /// Forgets what is known of this segment below a position, however much is known of those before it.
    pub(crate) fn drop_in_segment(&mut self, segment: Offset, position: u32) {
        let (readable, mut later) = (self.readable, VecDeque::new());
        while self.pieces.back().is_some_and(|piece| piece.segment >= segment) {
            later.extend(self.pieces.pop_back());
        }
        let mut rest = Tail { pieces: later.into_iter().rev().collect(), readable };
        rest.drop_below(segment, position);
        rest.readable = rest.readable.filter(|_| !rest.pieces.is_empty());
        if self.pieces.is_empty() {
            *self = rest;
            return;
        }
        // Between what is left and what follows there is a gap that only the file fills.
        self.readable = rest.readable;
        self.pieces.append(&mut rest.pieces);
    }

    pub(crate) fn clear(&mut self) {
        self.readable = None;
        self.pieces.clear();
    }
}
