//! The metadata log's batches: records in, batches out, and back.
//!
//! One event of the controller is one batch, without codec and producer. Control batches hold what the quorum says: who
//! leads, who votes, where a snapshot begins and ends. Every record has an offset of its own, control records too.

use bytes::Bytes;
use net::wire::{EncodeError, Wire, from_bytes, to_bytes};
use storage::batch::{
    Batch, BatchBuilder, BatchError, ControlType, Invalidity, LeaderChange, Record as BatchRecord,
};
use storage::units::{Offset, Timestamp};

use super::image::Position;
use super::records::control::{
    KRaftVersionRecord, SnapshotFooterRecord, SnapshotHeaderRecord, VotersRecord,
};
use super::records::{Record, RecordError};

/// Why a log or a snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableLog {
    #[error("after offset {after}: {source}")]
    Batch { after: Offset, source: BatchError },
    #[error("offset {offset}: {source}")]
    Record { offset: Offset, source: RecordError },
    #[error("offset {offset}: a control record that is malformed")]
    Control { offset: Offset },
    #[error("offset {offset}: a record without a value")]
    Empty { offset: Offset },
}

/// One record of the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    Data(Record),
    LeaderChange(LeaderChange),
    SnapshotHeader(SnapshotHeaderRecord),
    SnapshotFooter,
    KRaftVersion(i16),
    Voters(VotersRecord),
    /// A control record of a kind that means nothing here.
    Other,
}

/// A batch of data records.
pub fn data(records: &[Record], now: Timestamp) -> Result<BatchBuilder, EncodeError> {
    records.iter().try_fold(BatchBuilder::new(), |builder, record| {
        Ok(builder.record(now, None, Some(&record.encode()?)))
    })
}

/// The control record that opens an epoch.
pub fn leader_change(builder: BatchBuilder, change: &LeaderChange, now: Timestamp) -> BatchBuilder {
    builder.control_record(now, ControlType::LeaderChange, &change.value())
}

/// Who may vote, and that the log says so (`kraft.version` 1, KIP-853).
pub fn voters(
    builder: BatchBuilder,
    voters: &VotersRecord,
    now: Timestamp,
) -> Result<BatchBuilder, EncodeError> {
    let version = KRaftVersionRecord { version: 0, kraft_version: 1 };
    let builder = control(builder, ControlType::KraftVersion, &version, now)?;
    control(builder, ControlType::KraftVoters, voters, now)
}

/// The control record that begins a snapshot of a log whose last record is of `last_ms`.
pub fn snapshot_header(
    builder: BatchBuilder,
    last_ms: i64,
    now: Timestamp,
) -> Result<BatchBuilder, EncodeError> {
    let header = SnapshotHeaderRecord { version: 0, last_contained_log_timestamp: last_ms };
    control(builder, ControlType::SnapshotHeader, &header, now)
}

/// The control record that ends a snapshot.
pub fn snapshot_footer(builder: BatchBuilder, now: Timestamp) -> Result<BatchBuilder, EncodeError> {
    control(builder, ControlType::SnapshotFooter, &SnapshotFooterRecord { version: 0 }, now)
}

fn control(
    builder: BatchBuilder,
    kind: ControlType,
    body: &impl Wire,
    now: Timestamp,
) -> Result<BatchBuilder, EncodeError> {
    Ok(builder.control_record(now, kind, &to_bytes(body, 0)?))
}

/// Reads whole batches from the front of `bytes`, a record at a time. Returns what an incomplete batch at the end leaves.
pub fn read(
    mut bytes: Bytes,
    mut after: Offset,
    mut each: impl FnMut(Position, Entry),
) -> Result<Bytes, UnreadableLog> {
    loop {
        let (batch, size) = match Batch::parse_first(&bytes) {
            Ok(batch) => batch,
            Err(BatchError::Invalid(Invalidity::NoBatch)) => return Ok(bytes),
            Err(source) => return Err(UnreadableLog::Batch { after, source }),
        };
        read_batch(&batch, after, &mut each)?;
        after = batch.last_offset();
        bytes = bytes.slice(size..);
    }
}

/// Reads the records of one batch.
fn read_batch(
    batch: &Batch,
    after: Offset,
    each: &mut impl FnMut(Position, Entry),
) -> Result<(), UnreadableLog> {
    let header = batch.header();
    let mut records = batch.records();
    let wrong = |source| UnreadableLog::Batch { after, source };
    while let Some(record) = records.next_record().map_err(wrong)? {
        let position = Position {
            offset: record.offset,
            epoch: header.leader_epoch,
            timestamp_ms: header.max_timestamp.0,
        };
        let entry = if batch.is_control() { control_entry(&record)? } else { data_entry(&record)? };
        each(position, entry);
    }
    Ok(())
}

/// The value is copied: an image's strings are slices of it, and must not keep a whole piece of the log in memory.
fn data_entry(record: &BatchRecord<'_>) -> Result<Entry, UnreadableLog> {
    let offset = record.offset;
    let value = record.value.ok_or(UnreadableLog::Empty { offset })?;
    let read = Record::decode(Bytes::copy_from_slice(value));
    read.map(Entry::Data).map_err(|source| UnreadableLog::Record { offset, source })
}

fn control_entry(record: &BatchRecord<'_>) -> Result<Entry, UnreadableLog> {
    let malformed = || UnreadableLog::Control { offset: record.offset };
    let key = record.key.ok_or_else(malformed)?;
    let value = record.value.ok_or_else(malformed)?;
    fn body<T: Wire>(value: &[u8]) -> Option<T> {
        from_bytes(Bytes::copy_from_slice(value), 0).ok()
    }
    let entry = match ControlType::parse(key) {
        Some(ControlType::LeaderChange) => LeaderChange::parse(value).map(Entry::LeaderChange),
        Some(ControlType::SnapshotHeader) => body(value).map(Entry::SnapshotHeader),
        Some(ControlType::SnapshotFooter) => Some(Entry::SnapshotFooter),
        Some(ControlType::KraftVersion) => {
            body(value).map(|v: KRaftVersionRecord| Entry::KRaftVersion(v.kraft_version))
        }
        Some(ControlType::KraftVoters) => body(value).map(Entry::Voters),
        Some(ControlType::Abort | ControlType::Commit) | None => Some(Entry::Other),
    };
    entry.ok_or_else(malformed)
}
