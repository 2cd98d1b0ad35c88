//! A snapshot: the image in a file, so that the log before it can go.
//!
//! ```text
//! <end offset, 20 digits>-<epoch, 10 digits>.checkpoint      the offset is exclusive, the epoch that of the record before it
//!
//! control batch   SnapshotHeader, and if voters are in the log: KRaftVersion, Voters        offsets 0..
//! data batches    the records of `Image::records`, numbered on from there
//! control batch   SnapshotFooter
//! ```
//! A file without its footer is not a snapshot. While it is written it is called `.checkpoint.part`; it gets its name when
//! it is on stable storage. `0-0` says nothing but who may vote before the first election.

use bytes::Bytes;
use net::wire::EncodeError;
use storage::batch::BatchBuilder;
use storage::units::{Epoch, Offset, Timestamp};

use super::batch::{self, Entry, UnreadableLog};
use super::image::{Image, Position, Replay, ReplayError};
use super::records::Record;
use super::records::control::VotersRecord;

/// Bytes of records after which a new batch is begun.
const BATCH_BYTES: usize = 512 << 10;

/// Which snapshot: what it has replaced, and of which epoch the last of that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    pub end: Offset,
    pub epoch: Epoch,
}

impl SnapshotId {
    /// Before the first record.
    pub const BOOTSTRAP: SnapshotId = SnapshotId { end: Offset(0), epoch: Epoch(0) };

    /// The snapshot of an image that ends with this record.
    pub fn of(position: Position) -> SnapshotId {
        SnapshotId { end: position.offset.next(), epoch: position.epoch }
    }

    pub fn file_name(self) -> String {
        format!("{:020}-{:010}.checkpoint", self.end.0, self.epoch.0)
    }

    /// From a file's name; none if it is not a finished snapshot's.
    pub fn parse(name: &str) -> Option<SnapshotId> {
        let (end, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
        if end.len() != 20 || epoch.len() != 10 {
            return None;
        }
        Some(SnapshotId { end: Offset(end.parse().ok()?), epoch: Epoch(epoch.parse().ok()?) })
    }
}

/// What a snapshot holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub image: Image,
    pub voters: Option<VotersRecord>,
}

/// Why a file is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableSnapshot {
    #[error(transparent)]
    Log(#[from] UnreadableLog),
    #[error("its record {offset} cannot follow the others: {source}")]
    Replay { offset: Offset, source: ReplayError },
    #[error("it does not begin with a snapshot's header")]
    Header,
    #[error("its end is missing")]
    Footer,
}

/// The bytes of the snapshot of an image.
pub fn encode(
    image: &Image,
    voters: Option<&VotersRecord>,
    now: Timestamp,
) -> Result<Vec<u8>, EncodeError> {
    let epoch = SnapshotId::of(image.position()).epoch;
    encode_records(image.records(), voters, image.position().timestamp_ms, epoch, now)
}

/// The bytes of a snapshot with these records.
pub fn encode_records(
    records: impl Iterator<Item = Record>,
    voters: Option<&VotersRecord>,
    last_ms: i64,
    epoch: Epoch,
    now: Timestamp,
) -> Result<Vec<u8>, EncodeError> {
    let mut writer = Writer { bytes: Vec::new(), next: Offset(0), epoch };
    let mut head = batch::snapshot_header(BatchBuilder::new(), last_ms, now)?;
    if let Some(voters) = voters {
        head = batch::voters(head, voters, now)?;
    }
    writer.put(head);
    let mut open = BatchBuilder::new();
    for record in records {
        open = open.record(now, None, Some(&record.encode()?));
        if open.record_bytes() >= BATCH_BYTES {
            writer.put(std::mem::take(&mut open));
        }
    }
    if open.count() > 0 {
        writer.put(open);
    }
    writer.put(batch::snapshot_footer(BatchBuilder::new(), now)?);
    Ok(writer.bytes)
}

/// Numbers batches on.
struct Writer {
    bytes: Vec<u8>,
    next: Offset,
    epoch: Epoch,
}

impl Writer {
    fn put(&mut self, builder: BatchBuilder) {
        let count = i64::from(builder.count());
        let batch = builder.base_offset(self.next).leader_epoch(self.epoch).build();
        self.bytes.extend_from_slice(batch.bytes());
        self.next += count;
    }
}

/// Reads a snapshot. All of it must be there, up to the footer, and nothing may follow.
pub fn decode(
    bytes: Bytes,
    id: SnapshotId,
    cluster_id: &str,
) -> Result<Snapshot, UnreadableSnapshot> {
    let mut replay = Replay::new(Image::of_cluster(cluster_id));
    let mut read = Reading::default();
    let rest = batch::read(bytes, Offset(-1), |position, entry| {
        read.take(&mut replay, position, entry);
    })?;
    if let Some(error) = read.failure {
        return Err(error);
    }
    let Some(last_ms) = read.header else { return Err(UnreadableSnapshot::Header) };
    if !read.footer || !rest.is_empty() || replay.in_transaction() {
        return Err(UnreadableSnapshot::Footer);
    }
    let end = Position { offset: id.end - 1, epoch: id.epoch, timestamp_ms: last_ms };
    Ok(Snapshot { image: replay.image().clone().at(end), voters: read.voters })
}

#[derive(Default)]
struct Reading {
    header: Option<i64>,
    footer: bool,
    voters: Option<VotersRecord>,
    failure: Option<UnreadableSnapshot>,
}

impl Reading {
    fn take(&mut self, replay: &mut Replay, position: Position, entry: Entry) {
        if self.failure.is_some() {
            return;
        }
        if self.footer {
            self.failure = Some(UnreadableSnapshot::Footer);
            return;
        }
        match entry {
            Entry::SnapshotHeader(header) => {
                self.header = Some(header.last_contained_log_timestamp)
            }
            _ if self.header.is_none() => self.failure = Some(UnreadableSnapshot::Header),
            Entry::SnapshotFooter => self.footer = true,
            Entry::Voters(voters) => self.voters = Some(voters),
            Entry::Data(record) => {
                let applied = replay.apply(&record, position);
                let offset = position.offset;
                self.failure =
                    applied.err().map(|source| UnreadableSnapshot::Replay { offset, source });
            }
            Entry::LeaderChange(_) | Entry::KRaftVersion(_) | Entry::Other => {}
        }
    }
}

#[cfg(test)]
mod tests;
