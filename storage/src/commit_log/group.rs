//! One group: built in memory, written in one piece, read back at recovery.
//!
//! After `append` the bytes are in the group's buffer, where readers may already take slices of them; after `seal` they are
//! ready to be written and nothing more can be added. Nothing here is durable.

use bytes::Bytes;
use ring::buffer::{AppendBuffer, Hole};

use super::entry::{ENTRY_BYTES, Entry, Fields, Kind};
use super::{EntryId, GroupSequence, LogId};
use crate::batch::{Batch, HEADER_BYTES};
use crate::runtime::{BLOCK, block_up};

const MAGIC: u64 = u64::from_le_bytes(*b"ODRGRP01");
pub(crate) const GROUP_HEADER_BYTES: usize = 64;

/// What a group's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    pub(crate) id: LogId,
    pub(crate) sequence: GroupSequence,
    /// Everything up to this group was durable when this one was submitted.
    pub(crate) mark: GroupSequence,
    pub(crate) length: u32,
    pub(crate) entries: u32,
    pub(crate) shards: u32,
    pub(crate) previous: u32,
    pub(crate) body: u32,
}

impl GroupHeader {
    pub(crate) fn encode(&self) -> [u8; GROUP_HEADER_BYTES] {
        let mut out = [0; GROUP_HEADER_BYTES];
        out[0..8].copy_from_slice(&MAGIC.to_le_bytes());
        out[8..24].copy_from_slice(&self.id.0.to_le_bytes());
        out[24..32].copy_from_slice(&self.sequence.0.to_le_bytes());
        out[32..40].copy_from_slice(&self.mark.0.to_le_bytes());
        out[40..44].copy_from_slice(&self.length.to_le_bytes());
        out[44..48].copy_from_slice(&self.entries.to_le_bytes());
        out[48..52].copy_from_slice(&self.shards.to_le_bytes());
        out[52..56].copy_from_slice(&self.previous.to_le_bytes());
        out[56..60].copy_from_slice(&self.body.to_le_bytes());
        let checksum = crc32c::crc32c(&out[..60]);
        out[60..64].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// The header at the start of `bytes` and its checksum, if there is a whole one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(GroupHeader, u32)> {
        let field = Fields(bytes.get(..GROUP_HEADER_BYTES)?);
        if u64::from_le_bytes(field.at(0)) != MAGIC {
            return None;
        }
        let checksum = u32::from_le_bytes(field.at(60));
        if crc32c::crc32c(&bytes[..60]) != checksum {
            return None;
        }
        let header = GroupHeader {
            id: LogId(u128::from_le_bytes(field.at(8))),
            sequence: GroupSequence(u64::from_le_bytes(field.at(24))),
            mark: GroupSequence(u64::from_le_bytes(field.at(32))),
            length: u32::from_le_bytes(field.at(40)),
            entries: u32::from_le_bytes(field.at(44)),
            shards: u32::from_le_bytes(field.at(48)),
            previous: u32::from_le_bytes(field.at(52)),
            body: u32::from_le_bytes(field.at(56)),
        };
        (header.length as usize >= GROUP_HEADER_BYTES).then_some((header, checksum))
    }

    /// What the group takes of its file.
    pub(crate) fn footprint(&self) -> u64 {
        block_up(u64::from(self.length))
    }
}

/// A group under construction: the last bytes of an arena, which it shares with the groups before it.
pub(crate) struct Builder {
    start: usize,
    header: Hole,
    body: u32,
    entries: u32,
}

impl Builder {
    /// The group begins at the arena's end, which is at a block, and has room for its header.
    pub(crate) fn new(arena: &mut AppendBuffer) -> Self {
        debug_assert!(arena.len().is_multiple_of(BLOCK));
        Builder {
            start: arena.len(),
            header: arena.reserve(GROUP_HEADER_BYTES),
            body: 0,
            entries: 0,
        }
    }

    /// Bytes so far, header included.
    pub(crate) fn length(&self, arena: &AppendBuffer) -> usize {
        arena.len() - self.start
    }

    /// Adds a copy of a batch, which `stamp` changes before anyone sees it; returns the entry's ordinal and the bytes.
    /// The caller has seen to it that there is room.
    pub(crate) fn add_batch(
        &mut self,
        arena: &mut AppendBuffer,
        entry: &Entry,
        batch: &[u8],
        stamp: impl FnOnce(&mut [u8]),
    ) -> (u32, Bytes) {
        debug_assert_eq!(entry.payload as usize, batch.len());
        self.add_entry(arena, entry);
        let range = arena.append_copy(batch, stamp);
        let bytes = arena.slice(range);
        self.body = crc32c::crc32c_append(self.body, &bytes[..HEADER_BYTES]);
        (self.entries - 1, bytes)
    }

    /// Adds any other entry; of its payload the first `covered` bytes go into the group's checksum.
    pub(crate) fn add(
        &mut self,
        arena: &mut AppendBuffer,
        entry: &Entry,
        payload: &[&[u8]],
        covered: usize,
    ) -> u32 {
        debug_assert_eq!(
            entry.payload as usize,
            payload.iter().map(|part| part.len()).sum::<usize>()
        );
        self.add_entry(arena, entry);
        let mut left = covered;
        for part in payload {
            arena.append(part);
            let take = left.min(part.len());
            self.body = crc32c::crc32c_append(self.body, &part[..take]);
            left -= take;
        }
        self.entries - 1
    }

    fn add_entry(&mut self, arena: &mut AppendBuffer, entry: &Entry) {
        let encoded = entry.encode();
        arena.append(&encoded);
        self.body = crc32c::crc32c_append(self.body, &encoded);
        self.entries += 1;
    }

    /// The group is complete: fills up its last block. What is missing is its header.
    pub(crate) fn close(self, arena: &mut AppendBuffer) -> Closed {
        let length =
            u32::try_from(arena.len() - self.start).expect("a group is smaller than its file");
        let padding = arena.len().next_multiple_of(BLOCK) - arena.len();
        arena.append_with(padding, |_| {});
        Closed {
            start: self.start,
            header: self.header,
            body: self.body,
            entries: self.entries,
            length,
        }
    }
}

/// A group to which nothing is added any more.
pub(crate) struct Closed {
    start: usize,
    header: Hole,
    body: u32,
    entries: u32,
    length: u32,
}

impl Closed {
    /// Writes the header; returns the whole blocks to write, and the group's checksum, which the next one names.
    pub(crate) fn seal(
        self,
        arena: &mut AppendBuffer,
        (id, sequence, mark): (LogId, GroupSequence, GroupSequence),
        shards: u32,
        previous: u32,
    ) -> (Bytes, u32) {
        let (length, entries, body) = (self.length, self.entries, self.body);
        let encoded =
            GroupHeader { id, sequence, mark, length, entries, shards, previous, body }.encode();
        let checksum = u32::from_le_bytes(Fields(&encoded).at(60));
        arena.fill(self.header, &encoded);
        let end = self.start + (length as usize).next_multiple_of(BLOCK);
        (arena.slice(self.start..end), checksum)
    }
}

/// A group read back, whole and checked.
pub(crate) struct Group {
    pub(crate) header: GroupHeader,
    pub(crate) checksum: u32,
    pub(crate) entries: Vec<(Entry, Bytes)>,
}

impl Group {
    /// The entries, their payloads, and who they are.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (&Entry, &Bytes, EntryId)> {
        let group = self.header.sequence;
        let numbered = (0..).zip(&self.entries);
        numbered
            .map(move |(ordinal, (entry, payload))| (entry, payload, EntryId { group, ordinal }))
    }

    /// The group at the start of `bytes`, if every checksum in it holds.
    pub(crate) fn decode(bytes: &Bytes) -> Option<Group> {
        let (header, checksum) = GroupHeader::decode(bytes)?;
        let bytes =
            bytes.get(..header.length as usize).map(|_| bytes.slice(..header.length as usize))?;
        let mut entries =
            Vec::with_capacity((header.entries as usize).min(bytes.len() / ENTRY_BYTES));
        let (mut at, mut body) = (GROUP_HEADER_BYTES, 0);
        while at < bytes.len() {
            let entry = Entry::decode(&bytes[at..])?;
            let payload_at = at + ENTRY_BYTES;
            let end =
                payload_at.checked_add(entry.payload as usize).filter(|end| *end <= bytes.len())?;
            let payload = bytes.slice(payload_at..end);
            body = crc32c::crc32c_append(body, &bytes[at..payload_at]);
            body = crc32c::crc32c_append(body, &payload[..covered(&entry, &payload)?]);
            check_payload(&entry, &payload)?;
            entries.push((entry, payload));
            at = end;
        }
        (body == header.body && entries.len() == header.entries as usize).then_some(Group {
            header,
            checksum,
            entries,
        })
    }
}

/// How much of an entry's payload the group's checksum covers.
fn covered(entry: &Entry, payload: &Bytes) -> Option<usize> {
    match entry.kind {
        Kind::Batch => (payload.len() >= HEADER_BYTES).then_some(HEADER_BYTES),
        Kind::Extent => Some(entry.described()),
        Kind::Fragment => Some(0),
        Kind::Truncate | Kind::LogStart | Kind::Delete | Kind::Link => Some(payload.len()),
    }
}

/// What the group's checksum leaves out: a batch has its own CRC, a fragment's bytes have the entry's.
fn check_payload(entry: &Entry, payload: &Bytes) -> Option<()> {
    match entry.kind {
        Kind::Batch => Batch::parse(payload.clone())
            .ok()
            .filter(|batch| batch.size() == payload.len())
            .map(|_| ()),
        Kind::Extent | Kind::Fragment => {
            (crc32c::crc32c(&payload[entry.described()..]) == entry.checksum).then_some(())
        }
        Kind::Truncate | Kind::LogStart | Kind::Delete | Kind::Link => Some(()),
    }
}
