//! What is kept in memory beyond what must be: groups' memory is given back, oldest first, when the clean bytes exceed
//! what is worth keeping.
//!
//! That is little at first, for memory that is written again soon is in the processor's caches and costs no page faults. It grows, up to
//! its budget, by what readers had to take from files although they were near enough for the budget to have kept it.
//!
//! A group's memory is one piece of an arena that all its partitions have slices of, so it is given back for all of them at
//! once. A few bytes that fill no block, and so cannot leave for a segment, are copied out of its way.

#[cfg(test)]
mod tests;

use crate::commit_log::GroupSequence;
use crate::core::Core;
use crate::log::Log;
use crate::runtime::{BLOCK_U64, Runtime};
use crate::tail::Piece;
use crate::units::Offset;

/// Clean bytes that are kept before a reader has missed any.
pub(crate) const CLEAN_BYTES_FIRST: usize = 64 << 20;

/// Gives back until the budget holds, and asks for drains where dirty bytes stand in the way or exceed half of theirs.
pub(crate) fn give_back<R: Runtime>(core: &Core<R>) {
    let counts = &core.counts;
    while counts.kept_bytes.get() > core.clean_bytes.get() + counts.dirty_bytes.get() {
        let Some(oldest) = core.memory.borrow_mut().pop_front() else { break };
        let stuck = oldest.logs.iter().filter(|log| !log.give_back(oldest.sequence)).count();
        if stuck > 0 {
            core.memory.borrow_mut().push_front(oldest);
            break;
        }
        counts.kept_bytes.set(counts.kept_bytes.get().saturating_sub(oldest.bytes));
    }
    if counts.dirty_bytes.get() > core.options.dirty_bytes_max / 2 {
        drain_oldest(core);
    }
}

/// The partitions of the oldest groups, as many as it takes to come to half of the dirty budget.
fn drain_oldest<R: Runtime>(core: &Core<R>) {
    let mut excess = core.counts.dirty_bytes.get().saturating_sub(core.options.dirty_bytes_max / 2);
    for group in &*core.memory.borrow() {
        for log in &group.logs {
            if log.state().undrained() >= BLOCK_U64 {
                log.request_drain();
            }
        }
        excess = excess.saturating_sub(group.bytes);
        if excess == 0 {
            return;
        }
    }
}

impl<R: Runtime> Log<R> {
    /// A reader takes so many bytes from a segment's file, from `position` on.
    pub(crate) fn missed(&self, segment: Offset, position: u64, bytes: u64) {
        let (core, state) = (self.core(), self.state());
        let (max, kept) = (core.options.clean_bytes_max, core.clean_bytes.get());
        if kept >= max {
            return;
        }
        let mut behind = 0;
        for newer in state.segments.iter().rev().take_while(|newer| newer.base >= segment) {
            behind += u64::from(newer.length);
            if behind > max as u64 + u64::from(newer.length) {
                return;
            }
        }
        if behind.saturating_sub(position) <= max as u64 {
            let more = usize::try_from(bytes).unwrap_or(usize::MAX);
            core.clean_bytes.set(kept.saturating_add(more).min(max));
        }
    }

    /// Drops or copies what the log holds of groups up to this one; false if a drain has to come first.
    fn give_back(&self, group: GroupSequence) -> bool {
        let mut state = self.state_mut();
        let state = &mut *state;
        let segments = &state.segments;
        let place = |piece: &Piece| {
            let index = segments.binary_search_by_key(&piece.segment, |segment| segment.base);
            index.map_or((u32::MAX, u32::MAX), |index| {
                (segments[index].filed, segments[index].assigned)
            })
        };
        if state.tail.give_back(group, |piece| piece.end() <= place(piece).0).is_none() {
            return true;
        }
        let stuck = || state.tail.pieces().take_while(|piece| piece.entry.group <= group);
        let left = stuck().map(|piece| {
            u64::from(piece.end() - piece.position.max(place(piece).1).min(piece.end()))
        });
        if left.sum::<u64>() >= BLOCK_U64 {
            if !std::mem::replace(&mut state.draining, true) {
                self.core().drains.borrow_mut().push_back(self.clone());
                self.core().events.drain.notify();
            }
            return false;
        }
        let being_written = stuck().any(|piece| {
            let (filed, assigned) = place(piece);
            piece.position.max(filed) < piece.end().min(assigned)
        });
        if being_written {
            return false;
        }
        state.tail.move_out(group, |piece| place(piece).0);
        true
    }
}
