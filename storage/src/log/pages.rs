//! Looks an offset up in a segment's offset index without reading the file whole: page by page, beginning where the offset would be if all
//! batches had equally many. The index of a segment of 1 GiB has half a megabyte and more, and a fetch that finds nothing in memory looks
//! something up each time: it takes a page or two, and never more than two beyond what bisecting takes.

use bytes::Bytes;

use super::Log;
use super::find::Lookup;
use crate::index::{OffsetEntry, OffsetIndex};
use crate::runtime::Runtime;
use crate::segment::files::Kind;
use crate::units::Offset;

/// Whole entries. A read of so much costs little more than one of a block.
const PAGE: u64 = if cfg!(test) { 2 } else { 2048 } * OffsetEntry::BYTES as u64;

impl<R: Runtime> Log<R> {
    /// The entry of the offset index from which a scan finds `offset`; none for the segment's start.
    pub(super) async fn index_lookup(
        &self,
        base: Offset,
        offset: Offset,
    ) -> Result<Option<OffsetEntry>, Lookup> {
        let (filed, next) = {
            let state = self.state();
            let Some(segment) = state.segment(base) else { return Ok(None) };
            let memory = OffsetIndex::new(base, segment.offsets.bytes());
            if memory.iter().next().is_some_and(|first| first.offset <= offset) {
                return Ok(Some(memory.lookup(offset)));
            }
            (segment.offsets.start(), segment.next)
        };
        let mut search = Search::new(filed.div_ceil(PAGE), (base, next), offset);
        let mut found = None;
        while let Some(page) = search.page() {
            let bytes = self.index_page(base, page, filed).await?;
            let entries = OffsetIndex::new(base, &bytes);
            if entries.iter().next().is_none_or(|first| first.offset > offset) {
                search.is_before();
                continue;
            }
            found = Some(entries.lookup(offset));
            if entries.last().is_some_and(|last| last.offset > offset) {
                break;
            }
            search.is_after();
        }
        Ok(found)
    }

    async fn index_page(&self, base: Offset, page: u64, filed: u64) -> Result<Bytes, Lookup> {
        let suspect = |what: String| {
            let what = format!("{}: {what}", Kind::OffsetIndex.suffix());
            Lookup::Suspect { base, position: 0, what }
        };
        let core = self.core();
        // Whatever is wrong with an index, it can be built anew.
        let file = core.files.readable(core, self, base, Kind::OffsetIndex).await;
        let file = file.map_err(|error| suspect(error.to_string()))?;
        let start = page * PAGE;
        let length = usize::try_from(PAGE.min(filed - start)).unwrap_or(0);
        let bytes = core.runtime.read_at(&file, start, length).await;
        let bytes = bytes.map_err(|error| suspect(error.to_string()))?;
        if bytes.len() < length {
            return Err(suspect("it is shorter than it was".to_owned()));
        }
        Ok(bytes)
    }
}

/// Which page is read next: where the offset should be, then the neighbour, then the middle of what is left.
struct Search {
    low: u64,
    high: u64,
    probe: u64,
    read: u32,
}

impl Search {
    /// Of `pages` that cover the offsets from the first to the second, but not the latter.
    fn new(pages: u64, (base, next): (Offset, Offset), offset: Offset) -> Search {
        let part = |offset: Offset| u128::try_from(offset - base).unwrap_or(0);
        let probe = u128::from(pages) * part(offset) / part(next).max(1);
        let last = pages.saturating_sub(1);
        let probe = u64::try_from(probe).unwrap_or(last).min(last);
        Search { low: 0, high: pages, probe, read: 0 }
    }

    fn page(&mut self) -> Option<u64> {
        if self.low >= self.high {
            return None;
        }
        self.read += 1;
        Some(self.probe)
    }

    /// It is in a page before this one.
    fn is_before(&mut self) {
        self.high = self.probe;
        let neighbour = self.probe.saturating_sub(1);
        self.probe = if self.read == 1 { neighbour } else { self.low.midpoint(self.high) };
    }

    /// It is in this page's last entry, or in a page after this one.
    fn is_after(&mut self) {
        self.low = self.probe + 1;
        self.probe = if self.read == 1 { self.low } else { self.low.midpoint(self.high) };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::LogConfig;
    use crate::simulation::hand::{append, disk, id, open, run};

    /// Every offset, in order, backwards and across, is found where a search of the whole index finds it, for a few pages.
    #[test]
    fn a_search_by_pages_is_a_search_of_the_whole() {
        for sizes in [[1000, 1000], [200, 5000]] {
            let disk = disk();
            let files = disk.clone();
            run(1, &disk, async move |runtime| {
                let (store, log) = open(&runtime).await;
                let config = LogConfig {
                    segment_bytes: 120 << 10,
                    index_interval_bytes: 1,
                    ..LogConfig::default()
                };
                store.set_config(id(1), Arc::new(config));
                // In the second round half of the index has a tenth of the offsets.
                for number in 0..300 {
                    let size = sizes[usize::from(number > 200)];
                    append(&store, &log, size).await.ticket.await.unwrap();
                }
                while !log.state().segments[0].finished {
                    runtime.sleep(std::time::Duration::from_millis(1)).await;
                }
                let next = log.state().segments[0].next.0;
                let bytes = log.index_bytes(Offset(0), Kind::OffsetIndex).await.unwrap();
                let whole = OffsetIndex::new(Offset(0), &bytes);
                let pages = (bytes.len() as u64).div_ceil(PAGE);
                assert!(pages > 30, "{pages} pages");
                let across = (0..next).map(|offset| offset * 17 % next);
                let mut lookups = 0;
                let before = files.read();
                for offset in (0..next).chain((0..next).rev()).chain(across) {
                    let begun = files.read();
                    let expected = whole.lookup(Offset(offset));
                    let expected = (expected.position > 0).then_some(expected);
                    let found = log.index_lookup(Offset(0), Offset(offset)).await.unwrap();
                    assert_eq!(found, expected, "{offset}");
                    let (reads, bytes) = files.read();
                    let (reads, bytes) = (reads - begun.0, bytes - begun.1);
                    assert!(
                        reads <= 2 + u64::from(pages.ilog2()) + 1,
                        "{reads} reads for {offset}"
                    );
                    assert!(bytes <= reads * PAGE);
                    lookups += 1;
                }
                let reads = files.read().0 - before.0;
                if sizes[0] == sizes[1] {
                    assert!(reads <= lookups * 3 / 2, "{reads} reads for {lookups} lookups");
                }
            });
        }
    }
}
