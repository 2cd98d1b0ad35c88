//! The manifest: where recovery starts, and which files are a partition's. `odradek-<store>.manifest`, written whole, under
//! another name, synced, renamed, its directory synced.
//!
//! ```text
//! file   0 u64 magic, 8 u32 length of the body, 12 u32 CRC-32C of the body, 16 body
//! body   u128 log id, u64 first sequence to read, u32 checksum of the group before it, u64 durable mark, u32 shards,
//!        u8 clean (1: then the marker: u64 inode, i128 change time, u32 length, bytes), u32 partitions, each:
//!          u128 topic id, i32 partition, u16 + topic name, i64 log start, i64 LEO,
//!          u64 + u32 the entry from which its replay starts,
//!          u32 epochs, each i32 epoch, i64 start offset;  u32 + bytes of the producers' state at the LEO (`producer::snapshot`)
//!          i64 first dirty offset, i64 base of the first segment that compaction has not written anew
//!          u32 segments, each: i64 base, i64 next offset, u32 length, u32 filed, i64 first timestamp, i64 max timestamp,
//!            i64 its offset, i64 opened, u64 + u64 bytes of index entries, i64 newest indexed timestamp,
//!            u32 bytes since the last entry, u8 finished (bit 0), swapping (bit 1),
//!            u32 + bytes of further entries of each index
//! ```
//! All little endian. `filed` is where the segment's file ends for certain; what is behind it is in the log, from the
//! partition's entry on. `swapping`: compaction made the segment, and where its files with `.cleaned` names are, they count instead of
//! those with its own. Version 01, from before compaction, has neither offset and is read, too.

use std::path::Path;

use bytes::Bytes;
use uuid::Uuid;

use crate::commit_log::{EntryId, GroupSequence, LogId};
use crate::epochs::EpochStart;
use crate::planted::{Bug, is};
use crate::runtime::{Runtime, replace_file};
use crate::segment::Segment;
use crate::segment::index_tail::IndexTail;
use crate::units::{Epoch, Offset, PartitionId, Timestamp, TopicId};

const MAGIC: u64 = u64::from_le_bytes(*b"ODRMAN02");
/// Before compaction.
const MAGIC_1: u64 = u64::from_le_bytes(*b"ODRMAN01");
const HEAD_BYTES: usize = 16;

/// Our clean-shutdown marker as it was when we wrote it: Kafka removes it at its start and writes it anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    pub(crate) inode: u64,
    pub(crate) changed: i128,
    pub(crate) content: Vec<u8>,
}

/// See the head of the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Manifest {
    pub(crate) id: LogId,
    pub(crate) first: GroupSequence,
    pub(crate) previous: u32,
    pub(crate) mark: GroupSequence,
    pub(crate) shards: u32,
    pub(crate) clean: Option<Marker>,
    pub(crate) partitions: Vec<PartitionState>,
}

/// One partition as of the manifest.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PartitionState {
    pub(crate) id: PartitionId,
    pub(crate) topic: String,
    pub(crate) log_start: Offset,
    pub(crate) end: Offset,
    pub(crate) replay: EntryId,
    pub(crate) epochs: Vec<EpochStart>,
    pub(crate) producers: Vec<u8>,
    pub(crate) cleaned_to: Offset,
    pub(crate) rewritten: Offset,
    pub(crate) segments: Vec<SegmentState>,
}

/// One segment as of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentState {
    pub(crate) base: Offset,
    pub(crate) next: Offset,
    pub(crate) length: u32,
    pub(crate) filed: u32,
    pub(crate) first_timestamp: Timestamp,
    pub(crate) max_timestamp: Timestamp,
    pub(crate) max_timestamp_at: Offset,
    pub(crate) opened: i64,
    pub(crate) offsets: u64,
    pub(crate) times: u64,
    pub(crate) indexed_timestamp: Timestamp,
    pub(crate) since_entry: u32,
    pub(crate) finished: bool,
    pub(crate) swapping: bool,
    /// Index entries that are not in the files.
    pub(crate) more_offsets: Vec<u8>,
    pub(crate) more_times: Vec<u8>,
}

impl SegmentState {
    pub(crate) fn of(segment: &Segment) -> Self {
        SegmentState {
            base: segment.base,
            next: segment.next,
            length: segment.length,
            filed: segment.filed,
            first_timestamp: segment.first_timestamp,
            max_timestamp: segment.max_timestamp,
            max_timestamp_at: segment.max_timestamp_at,
            opened: segment.opened,
            offsets: segment.offsets.filed_length(),
            times: segment.times.filed_length(),
            indexed_timestamp: segment.indexed_timestamp,
            since_entry: segment.since_entry,
            finished: segment.finished,
            swapping: segment.swapping,
            more_offsets: segment.offsets.unwritten().to_vec(),
            more_times: segment.times.unwritten().to_vec(),
        }
    }

    pub(crate) fn open(&self) -> Segment {
        let mut segment = Segment::new(self.base, self.opened);
        segment.next = self.next;
        segment.length = self.length;
        segment.first_timestamp = self.first_timestamp;
        segment.max_timestamp = self.max_timestamp;
        segment.max_timestamp_at = self.max_timestamp_at;
        segment.offsets = IndexTail::filed(self.offsets);
        segment.times = IndexTail::filed(self.times);
        segment.offsets.push(&self.more_offsets);
        segment.times.push(&self.more_times);
        segment.indexed_timestamp = self.indexed_timestamp;
        segment.since_entry = self.since_entry;
        segment.finished = self.finished;
        segment.swapping = self.swapping;
        segment.settle(self.filed);
        segment
    }
}

/// What a truncation says of a partition: the payload of its entry in the commit log.
///
/// ```text
/// u8 whether anything is left; then its last segment, as in the manifest.  u32 + bytes of the producers' state at the new end
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Truncated {
    pub(crate) kept: Option<SegmentState>,
    pub(crate) producers: Vec<u8>,
}

impl Truncated {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer(Vec::with_capacity(256 + self.producers.len()));
        out.put(&[u8::from(self.kept.is_some())]);
        if let Some(kept) = &self.kept {
            kept.encode(&mut out);
        }
        out.bytes(&self.producers);
        out.0
    }

    /// None for anything that `encode` did not write.
    pub(crate) fn decode(payload: &[u8]) -> Option<Truncated> {
        let mut body = Reader(payload);
        let kept = match body.take::<1>()? {
            [0] => None,
            _ => Some(SegmentState::decode(&mut body)?),
        };
        Some(Truncated { kept, producers: body.bytes()?.to_vec() })
    }
}

impl Manifest {
    /// Writes the manifest; it is durable, under its name, when this returns.
    pub(crate) async fn write<R: Runtime>(&self, runtime: &R, path: &Path) -> std::io::Result<()> {
        replace_file(runtime, path, &self.encode()).await?;
        match path.parent() {
            Some(_) if is(Bug::ManifestDirectoryUnsynced) => Ok(()),
            Some(directory) => runtime.sync_directory(directory).await,
            None => Ok(()),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Writer(Vec::with_capacity(64 + self.partitions.len() * 160));
        body.put(&self.id.0.to_le_bytes());
        body.put(&self.first.0.to_le_bytes());
        body.put(&self.previous.to_le_bytes());
        body.put(&self.mark.0.to_le_bytes());
        body.put(&self.shards.to_le_bytes());
        body.put(&[u8::from(self.clean.is_some())]);
        if let Some(marker) = &self.clean {
            body.put(&marker.inode.to_le_bytes());
            body.put(&marker.changed.to_le_bytes());
            body.bytes(&marker.content);
        }
        body.count(self.partitions.len());
        for partition in &self.partitions {
            partition.encode(&mut body);
        }
        let mut out = Vec::with_capacity(HEAD_BYTES + body.0.len());
        out.extend(MAGIC.to_le_bytes());
        out.extend(u32::try_from(body.0.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(crc32c::crc32c(&body.0).to_le_bytes());
        out.extend(body.0);
        out
    }

    /// None for anything that `encode` did not write whole.
    pub(crate) fn decode(bytes: &Bytes) -> Option<Manifest> {
        let mut head = Reader(bytes.get(..HEAD_BYTES)?);
        let (magic, length, checksum) =
            (u64::from_le_bytes(head.take()?), head.number()?, head.number()?);
        let body = bytes.get(HEAD_BYTES..HEAD_BYTES + length as usize)?;
        if (magic != MAGIC && magic != MAGIC_1) || crc32c::crc32c(body) != checksum {
            return None;
        }
        let compacts = magic == MAGIC;
        let mut body = Reader(body);
        let id = LogId(u128::from_le_bytes(body.take()?));
        let first = GroupSequence(u64::from_le_bytes(body.take()?));
        let previous = body.number()?;
        let mark = GroupSequence(u64::from_le_bytes(body.take()?));
        let shards = body.number()?;
        let clean = match body.take::<1>()? {
            [0] => None,
            _ => Some(Marker {
                inode: u64::from_le_bytes(body.take()?),
                changed: i128::from_le_bytes(body.take()?),
                content: body.bytes()?.to_vec(),
            }),
        };
        let partitions = (0..body.number()?)
            .map(|_| PartitionState::decode(&mut body, compacts))
            .collect::<Option<_>>()?;
        Some(Manifest { id, first, previous, mark, shards, clean, partitions })
    }
}

impl PartitionState {
    fn encode(&self, out: &mut Writer) {
        out.put(self.id.topic.0.as_bytes());
        out.put(&self.id.partition.to_le_bytes());
        out.bytes(self.topic.as_bytes());
        out.put(&self.log_start.0.to_le_bytes());
        out.put(&self.end.0.to_le_bytes());
        out.put(&self.replay.group.0.to_le_bytes());
        out.put(&self.replay.ordinal.to_le_bytes());
        out.count(self.epochs.len());
        for epoch in &self.epochs {
            out.put(&epoch.epoch.0.to_le_bytes());
            out.put(&epoch.start.0.to_le_bytes());
        }
        out.bytes(&self.producers);
        out.put(&self.cleaned_to.0.to_le_bytes());
        out.put(&self.rewritten.0.to_le_bytes());
        out.count(self.segments.len());
        for segment in &self.segments {
            segment.encode(out);
        }
    }

    fn decode(body: &mut Reader<'_>, compacts: bool) -> Option<PartitionState> {
        let topic = TopicId(Uuid::from_bytes(body.take()?));
        let id = PartitionId { topic, partition: i32::from_le_bytes(body.take()?) };
        let topic = String::from_utf8(body.bytes()?.to_vec()).ok()?;
        let (log_start, end) = (Offset(body.long()?), Offset(body.long()?));
        let group = GroupSequence(u64::from_le_bytes(body.take()?));
        let replay = EntryId { group, ordinal: body.number()? };
        let epoch = |body: &mut Reader<'_>| {
            Some(EpochStart {
                epoch: Epoch(i32::from_le_bytes(body.take()?)),
                start: Offset(body.long()?),
            })
        };
        let epochs = (0..body.number()?).map(|_| epoch(body)).collect::<Option<_>>()?;
        let producers = body.bytes()?.to_vec();
        let (cleaned_to, rewritten) = match compacts {
            true => (Offset(body.long()?), Offset(body.long()?)),
            false => (Offset(0), Offset(0)),
        };
        let segments =
            (0..body.number()?).map(|_| SegmentState::decode(body)).collect::<Option<_>>()?;
        Some(PartitionState {
            id,
            topic,
            log_start,
            end,
            replay,
            epochs,
            producers,
            cleaned_to,
            rewritten,
            segments,
        })
    }
}

impl SegmentState {
    fn encode(&self, out: &mut Writer) {
        out.put(&self.base.0.to_le_bytes());
        out.put(&self.next.0.to_le_bytes());
        out.put(&self.length.to_le_bytes());
        out.put(&self.filed.to_le_bytes());
        out.put(&self.first_timestamp.0.to_le_bytes());
        out.put(&self.max_timestamp.0.to_le_bytes());
        out.put(&self.max_timestamp_at.0.to_le_bytes());
        out.put(&self.opened.to_le_bytes());
        out.put(&self.offsets.to_le_bytes());
        out.put(&self.times.to_le_bytes());
        out.put(&self.indexed_timestamp.0.to_le_bytes());
        out.put(&self.since_entry.to_le_bytes());
        out.put(&[u8::from(self.finished) | u8::from(self.swapping) << 1]);
        out.bytes(&self.more_offsets);
        out.bytes(&self.more_times);
    }

    fn decode(body: &mut Reader<'_>) -> Option<SegmentState> {
        let mut segment = SegmentState {
            base: Offset(body.long()?),
            next: Offset(body.long()?),
            length: body.number()?,
            filed: body.number()?,
            first_timestamp: Timestamp(body.long()?),
            max_timestamp: Timestamp(body.long()?),
            max_timestamp_at: Offset(body.long()?),
            opened: body.long()?,
            offsets: u64::from_le_bytes(body.take()?),
            times: u64::from_le_bytes(body.take()?),
            indexed_timestamp: Timestamp(body.long()?),
            since_entry: body.number()?,
            finished: false,
            swapping: false,
            more_offsets: Vec::new(),
            more_times: Vec::new(),
        };
        let [flags] = body.take()?;
        (segment.finished, segment.swapping) = (flags & 1 != 0, flags & 2 != 0);
        segment.more_offsets = body.bytes()?.to_vec();
        segment.more_times = body.bytes()?.to_vec();
        Some(segment)
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn count(&mut self, count: usize) {
        self.put(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.put(bytes);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*front)
    }

    fn number(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn long(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        let bytes = self.0.get(..length)?;
        self.0 = &self.0[length..];
        Some(bytes)
    }
}
