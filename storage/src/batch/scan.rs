//! Searches in a row of batches, such as a segment file, driven by whoever reads the bytes.
//!
//! A scan knows the [`position`](OffsetScan::position) from which it wants to be fed, and is fed whatever was read there: it takes as
//! much as it can use, jumps over the bodies of batches that do not interest it, and says how much it needs at least. A
//! scan believes lengths, not contents: it does not check CRCs, since what it reads was checked when it was written.

use bytes::Bytes;

use crate::batch::inflate::Inflated;
use crate::batch::skim::{Skim, Skimmed};
use crate::batch::{Batch, BatchError, BatchHeader, Codec, HEADER_BYTES, PlainRecords, Unreadable};
use crate::units::{Epoch, Offset, Timestamp};

/// What stands at the front of some bytes of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Front {
    /// A batch, all of it: [`BatchHeader::size`] bytes. Its CRC has not been looked at.
    Whole(BatchHeader),
    /// The start of a batch, whose header can be read already or not; `size` bytes are needed to see more.
    Partial { size: usize },
    /// Nothing.
    Empty,
    /// No batch can start like this.
    Bad(BatchError),
}

/// Looks at the front of `bytes`.
pub fn front(bytes: &[u8]) -> Front {
    let Some(header) = BatchHeader::read(bytes) else {
        return if bytes.is_empty() { Front::Empty } else { Front::Partial { size: HEADER_BYTES } };
    };
    match header.check() {
        Err(error) => Front::Bad(error),
        Ok(()) if bytes.len() < header.size() => Front::Partial { size: header.size() },
        Ok(()) => Front::Whole(header),
    }
}

/// The batches in some bytes, each checked with its CRC, up to the first that is not whole or not right.
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
    position: usize,
}

impl Batches {
    pub fn new(bytes: Bytes) -> Batches {
        Batches { rest: bytes, position: 0 }
    }

    /// Where the next batch starts; at the end, how many bytes were good.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match Batch::parse_first(&self.rest) {
            Ok((batch, size)) => {
                self.position += size;
                self.rest = self.rest.slice(size..);
                Some(Ok(batch))
            }
            Err(error) => {
                self.rest = Bytes::new();
                Some(Err(error))
            }
        }
    }
}

/// What a scan says after it was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<T> {
    Found(T),
    /// Feed it from its position on, at least this many bytes. If the log has fewer, the search has ended.
    Feed {
        at_least: usize,
    },
    /// The budget was used up: feed it again from its position on. It has kept what it needs; the bytes may be none.
    Busy,
}

/// Finds the first batch that contains an offset or comes after it.
#[derive(Clone, Copy, Debug)]
pub struct OffsetScan {
    target: Offset,
    position: u64,
}

/// A batch, and where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundBatch {
    pub position: u64,
    pub header: BatchHeader,
}

impl OffsetScan {
    /// `position` is the start of a batch at or before the one that is looked for: what the offset index says.
    pub fn new(target: Offset, position: u64) -> OffsetScan {
        OffsetScan { target, position }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    pub fn feed(&mut self, bytes: &[u8]) -> Result<Step<FoundBatch>, BatchError> {
        let target = self.target;
        scan_headers(&mut self.position, bytes, |header| header.last_offset() >= target)
    }
}

/// Goes from header to header; `position` ends at the header found, or at the first that is not in `bytes`.
fn scan_headers(
    position: &mut u64,
    bytes: &[u8],
    mut wanted: impl FnMut(&BatchHeader) -> bool,
) -> Result<Step<FoundBatch>, BatchError> {
    let mut rest = bytes;
    while let Some(header) = BatchHeader::read(rest) {
        header.check()?;
        if wanted(&header) {
            return Ok(Step::Found(FoundBatch { position: *position, header }));
        }
        *position += header.size() as u64;
        rest = rest.get(header.size()..).unwrap_or_default();
    }
    Ok(Step::Feed { at_least: HEADER_BYTES })
}

/// The largest max timestamp of some batches, and the last offset of the first batch that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxTimestampScan {
    position: u64,
    end: u64,
    found: Option<(Timestamp, Offset)>,
}

impl MaxTimestampScan {
    /// Looks at the batches that start in `position..end`.
    pub fn new(position: u64, end: u64) -> MaxTimestampScan {
        MaxTimestampScan { position, end, found: None }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// What was found so far.
    pub fn found(&self) -> Option<(Timestamp, Offset)> {
        self.found
    }

    /// None if there is no batch, or none with a timestamp.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Step<Option<(Timestamp, Offset)>>, BatchError> {
        let MaxTimestampScan { position, end, found } = self;
        let mut at = *position;
        let step = scan_headers(position, bytes, |header| {
            if at >= *end {
                return true;
            }
            at += header.size() as u64;
            // One that was emptied keeps its time, but has no record of it.
            if header.count > 0
                && header.max_timestamp > found.map_or(Timestamp::NONE, |(timestamp, _)| timestamp)
            {
                *found = Some((header.max_timestamp, header.last_offset()));
            }
            false
        })?;
        Ok(match step {
            Step::Feed { at_least } if self.position < self.end => Step::Feed { at_least },
            _ => Step::Found(self.found),
        })
    }
}

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundRecord {
    pub offset: Offset,
    pub timestamp: Timestamp,
    pub leader_epoch: Epoch,
}

/// Finds the first record with a timestamp of at least `target` and an offset of at least `from`, exactly, inside
/// compressed batches too.
#[derive(Debug)]
pub struct TimestampScan {
    target: Timestamp,
    from: Offset,
    position: u64,
    /// The batch that is being searched, while the budget interrupts it.
    inside: Option<RecordSearch>,
}

impl TimestampScan {
    /// `position` is the start of a batch before which no record qualifies: what the time index says.
    pub fn new(target: Timestamp, from: Offset, position: u64) -> TimestampScan {
        TimestampScan { target, from, position, inside: None }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// `budget` bounds the record bytes that this call looks at; headers are free.
    pub fn feed(&mut self, bytes: &Bytes, budget: usize) -> Result<Step<FoundRecord>, BatchError> {
        let mut budget = budget.max(1);
        let mut used = 0usize;
        loop {
            let mut search = match self.inside.take() {
                Some(search) => search,
                None => {
                    let before = self.position;
                    let rest = bytes.get(used..).unwrap_or_default();
                    let target = self.target;
                    let from = self.from;
                    let wanted = |h: &BatchHeader| {
                        h.max_timestamp >= target && h.last_offset() >= from && h.count > 0
                    };
                    let found = match scan_headers(&mut self.position, rest, wanted)? {
                        Step::Found(found) => found,
                        other => return Ok(unfound(other)),
                    };
                    used += usize::try_from(found.position - before).unwrap_or(usize::MAX);
                    let size = found.header.size();
                    let Some(end) = used.checked_add(size).filter(|end| *end <= bytes.len()) else {
                        return Ok(Step::Feed { at_least: size });
                    };
                    RecordSearch::new(found.header, bytes.slice(used..end), self.target, self.from)
                }
            };
            match search.step(&mut budget)? {
                Searched::Found(record) => return Ok(Step::Found(record)),
                Searched::Pause => {
                    self.inside = Some(search);
                    return Ok(Step::Busy);
                }
                Searched::Nothing => {
                    self.position += search.header.size() as u64;
                    used = used.saturating_add(search.header.size());
                }
            }
        }
    }
}

fn unfound<T>(step: Step<FoundBatch>) -> Step<T> {
    match step {
        Step::Feed { at_least } => Step::Feed { at_least },
        Step::Busy | Step::Found(_) => Step::Busy,
    }
}

enum Searched {
    Found(FoundRecord),
    Nothing,
    Pause,
}

/// The search inside one batch.
#[derive(Debug)]
struct RecordSearch {
    header: BatchHeader,
    target: Timestamp,
    from: Offset,
    index: i32,
    records: SearchIn,
}

#[derive(Debug)]
enum SearchIn {
    Plain(Bytes),
    Compressed(Box<Skim>),
    Unknown,
}

impl RecordSearch {
    fn new(header: BatchHeader, batch: Bytes, target: Timestamp, from: Offset) -> RecordSearch {
        let payload = batch.slice(HEADER_BYTES..);
        let records = match header.codec() {
            Some(Codec::None) => SearchIn::Plain(payload),
            Some(codec) => SearchIn::Compressed(Box::new(Skim::new(Inflated::new(codec, payload)))),
            None => SearchIn::Unknown,
        };
        RecordSearch { header, target, from, index: 0, records }
    }

    fn step(&mut self, budget: &mut usize) -> Result<Searched, BatchError> {
        match &mut self.records {
            SearchIn::Unknown => {
                Err(Unreadable::UnknownCodec(self.header.attributes.codec_bits()).into())
            }
            // Bytes in place are looked at as fast as headers.
            SearchIn::Plain(payload) => {
                for record in PlainRecords::new(self.header, payload) {
                    let record = record?;
                    if record.timestamp >= self.target && record.offset >= self.from {
                        return Ok(found(&self.header, record.offset, record.timestamp));
                    }
                }
                Ok(Searched::Nothing)
            }
            SearchIn::Compressed(skim) => {
                while self.index < self.header.count {
                    match skim.next(self.index, budget)? {
                        Skimmed::Pause => return Ok(Searched::Pause),
                        Skimmed::Record(shape) => {
                            let timestamp = self.header.timestamp(shape.timestamp_delta);
                            let offset = self.header.base_offset + i64::from(shape.offset_delta);
                            if timestamp >= self.target && offset >= self.from {
                                return Ok(found(&self.header, offset, timestamp));
                            }
                        }
                    }
                    self.index += 1;
                }
                Ok(Searched::Nothing)
            }
        }
    }
}

fn found(header: &BatchHeader, offset: Offset, timestamp: Timestamp) -> Searched {
    Searched::Found(FoundRecord { offset, timestamp, leader_epoch: header.leader_epoch })
}
