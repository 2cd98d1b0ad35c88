//! One entry of a group as a value, and its 80 bytes. The layout is drawn in [`super`].

use bytes::Bytes;
use uuid::Uuid;

use super::{GroupSequence, LogId};
use crate::batch::HEADER_BYTES;
use crate::units::{Epoch, Offset, PartitionId, TopicId};

pub(crate) const ENTRY_BYTES: usize = 80;
const LINK_BYTES: usize = 32;
/// Of the bytes between an extent's position and its first new batch.
pub(crate) const PREFIX_CHECKSUM_BYTES: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Batch = 1,
    Extent = 2,
    Fragment = 3,
    Truncate = 4,
    LogStart = 5,
    Delete = 6,
    Link = 7,
}

impl Kind {
    fn of(byte: u8) -> Option<Kind> {
        Some(match byte {
            1 => Kind::Batch,
            2 => Kind::Extent,
            3 => Kind::Fragment,
            4 => Kind::Truncate,
            5 => Kind::LogStart,
            6 => Kind::Delete,
            7 => Kind::Link,
            _ => return None,
        })
    }
}

/// The fixed part of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) payload: u32,
    pub(crate) id: PartitionId,
    pub(crate) epoch: Epoch,
    /// Base offset of the segment that holds the bytes.
    pub(crate) segment: Offset,
    /// Batch and fragment: where the payload begins in the segment. Extent: where the extent begins.
    pub(crate) position: u32,
    pub(crate) extent: u32,
    pub(crate) start: u32,
    pub(crate) headers: u32,
    pub(crate) base: Offset,
    pub(crate) next: Offset,
    pub(crate) checksum: u32,
}

impl Entry {
    /// An entry that names a partition and carries nothing.
    pub(crate) fn new(kind: Kind, id: PartitionId) -> Self {
        Entry {
            kind,
            payload: 0,
            id,
            epoch: Epoch(-1),
            segment: Offset(0),
            position: 0,
            extent: 0,
            start: 0,
            headers: 0,
            base: Offset(0),
            next: Offset(0),
            checksum: 0,
        }
    }

    /// How many bytes an extent's payload begins with that describe the extent: the headers, and a checksum.
    pub(crate) fn described(&self) -> usize {
        if self.kind == Kind::Extent {
            self.headers as usize * HEADER_BYTES + PREFIX_CHECKSUM_BYTES
        } else {
            0
        }
    }

    pub(crate) fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut out = [0; ENTRY_BYTES];
        out[0] = self.kind as u8;
        out[4..8].copy_from_slice(&self.payload.to_le_bytes());
        out[8..24].copy_from_slice(self.id.topic.0.as_bytes());
        out[24..28].copy_from_slice(&self.id.partition.to_le_bytes());
        out[28..32].copy_from_slice(&self.epoch.0.to_le_bytes());
        out[32..40].copy_from_slice(&self.segment.0.to_le_bytes());
        out[40..44].copy_from_slice(&self.position.to_le_bytes());
        out[44..48].copy_from_slice(&self.extent.to_le_bytes());
        out[48..52].copy_from_slice(&self.start.to_le_bytes());
        out[52..56].copy_from_slice(&self.headers.to_le_bytes());
        out[56..64].copy_from_slice(&self.base.0.to_le_bytes());
        out[64..72].copy_from_slice(&self.next.0.to_le_bytes());
        out[72..76].copy_from_slice(&self.checksum.to_le_bytes());
        out
    }

    /// None for anything that `encode` does not write.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Entry> {
        let field = Fields(bytes.get(..ENTRY_BYTES)?);
        let entry = Entry {
            kind: Kind::of(bytes[0])?,
            payload: u32::from_le_bytes(field.at(4)),
            id: PartitionId {
                topic: TopicId(Uuid::from_bytes(field.at(8))),
                partition: i32::from_le_bytes(field.at(24)),
            },
            epoch: Epoch(i32::from_le_bytes(field.at(28))),
            segment: Offset(i64::from_le_bytes(field.at(32))),
            position: u32::from_le_bytes(field.at(40)),
            extent: u32::from_le_bytes(field.at(44)),
            start: u32::from_le_bytes(field.at(48)),
            headers: u32::from_le_bytes(field.at(52)),
            base: Offset(i64::from_le_bytes(field.at(56))),
            next: Offset(i64::from_le_bytes(field.at(64))),
            checksum: u32::from_le_bytes(field.at(72)),
        };
        let fits = entry.described() <= entry.payload as usize && entry.base <= entry.next;
        (fits && bytes[1..4] == [0; 3] && bytes[76..80] == [0; 4]).then_some(entry)
    }
}

/// Fixed-width fields of a slice whose length was checked.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    pub(crate) fn at<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.0[offset..offset + N]);
        out
    }
}

/// The payload of a link: the log that ends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Link {
    pub(crate) id: LogId,
    pub(crate) end: GroupSequence,
}

impl Link {
    pub(crate) fn encode(&self) -> [u8; LINK_BYTES] {
        let mut out = [0; LINK_BYTES];
        out[..16].copy_from_slice(&self.id.0.to_le_bytes());
        out[16..24].copy_from_slice(&self.end.0.to_le_bytes());
        out
    }

    pub(crate) fn decode(payload: &Bytes) -> Option<Link> {
        let field = Fields(payload.get(..LINK_BYTES)?);
        Some(Link {
            id: LogId(u128::from_le_bytes(field.at(0))),
            end: GroupSequence(u64::from_le_bytes(field.at(16))),
        })
    }
}
