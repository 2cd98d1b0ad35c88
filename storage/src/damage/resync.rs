//! Where the log is good again behind a place where it is not.
//!
//! A batch's own length is believed if the batch that follows it is good. Otherwise the offset index says where batches begin, and the
//! first that is whole, and the one that the index means, is where the log goes on. Bytes that merely look like a batch are never
//! believed: records may contain anything. Without such a place, the rest of the segment is lost.

use super::Mark;
use super::chain::Chain;
use super::examine::{Look, Trouble};
use super::walk::{Bad, Met, Walk};
use crate::index::OffsetEntry;
use crate::runtime::Runtime;
use crate::units::Offset;

impl<R: Runtime> Look<'_, R> {
    /// The mark for what begins at `bad`. None if no offset is lost with it.
    pub(super) async fn resync(&self, bad: Bad) -> Result<Option<Mark>, Trouble> {
        let end = self.end_of(&bad).await?;
        let mark = self.to(bad.position, bad.next, end, &bad.what);
        Ok((mark.from < mark.to && mark.position < mark.end).then_some(mark))
    }

    async fn end_of(&self, bad: &Bad) -> Result<(u64, Offset), Trouble> {
        let whole = (self.length, self.chain.below);
        // What was marked before may have been known better then, by what memory had.
        let known = self.known_end(bad.position);
        if let Some((end, next)) = known
            && (end == self.length
                || self.begins(end, Chain { next, ..self.chain }).await?.is_some())
        {
            return Ok((end, next));
        }
        if let Some(end) = bad.end
            && let Some(base) = self.begins(end, Chain { next: bad.next, ..self.chain }).await?
        {
            return Ok((end, base));
        }
        if let Some(header) = bad.header.filter(|header| header.base_offset == bad.next) {
            let (end, next) = (bad.position + header.size() as u64, header.last_offset().next());
            if (end, next) == whole {
                return Ok(whole);
            }
            if let Some(base) = self.begins(end, Chain { next, ..self.chain }).await? {
                return Ok((end, base));
            }
        }
        let in_memory = self.first_in_memory(bad.position);
        let reach = in_memory.map_or(self.length, |(position, _)| position);
        for entry in self.entries_behind(bad.position) {
            let position = u64::from(entry.position);
            if position >= reach {
                break;
            }
            let chain = Chain { next: bad.next.next(), ..self.chain }.at(entry);
            if let Some(base) = self.begins(position, chain).await? {
                return Ok((position, base));
            }
        }
        Ok(in_memory.unwrap_or(whole))
    }

    fn known_end(&self, position: u64) -> Option<(u64, Offset)> {
        let state = self.log.state();
        let mark = state.mark_from(self.base, position)?;
        (mark.position <= position).then_some((mark.end, mark.to))
    }

    /// The base offset of the good batch that begins here, if there is one.
    async fn begins(&self, position: u64, chain: Chain) -> Result<Option<Offset>, Trouble> {
        let mut walk = Walk::new(chain, position, self.length);
        while walk.wants() < self.length {
            let piece = self.read(walk.wants(), 64 << 10).await?;
            match walk.feed(&mut &piece[..], &self.log.state().epochs) {
                Some(Met::Batch(_, header)) if chain.gaps || header.base_offset == chain.next => {
                    return Ok(Some(header.base_offset));
                }
                None if !piece.is_empty() => {}
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// What memory has needs no file: the first whole batch there.
    fn first_in_memory(&self, behind: u64) -> Option<(u64, Offset)> {
        let behind = u32::try_from(behind).ok()?;
        let state = self.log.state();
        let mut pieces = state.tail.pieces_from(self.base, behind);
        pieces.find_map(|piece| {
            let span = piece.batch.filter(|_| piece.position > behind)?;
            Some((u64::from(piece.position), span.base))
        })
    }

    fn entries_behind(&self, position: u64) -> Vec<OffsetEntry> {
        let entries = self.offsets.as_chunks::<{ OffsetEntry::BYTES }>().0;
        let entries = entries.iter().map(|entry| OffsetEntry::decode(self.base, entry));
        entries.filter(|entry| u64::from(entry.position) > position).collect()
    }
}
