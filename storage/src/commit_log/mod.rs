//! The commit log: the one sequential stream in which a shard makes the batches of all its partitions durable.
//!
//! ```text
//! file    odradek-<store>-<n>.commit: fixed size, zeroed, recycled; groups, each at the start of a 4 KiB block
//! group   header (64 bytes), entries, zeros to the next block
//!
//! header   0 u64 magic             40 u32 length of header and entries
//!          8 u128 log id           44 u32 entries
//!         24 u64 sequence          48 u32 shards
//!         32 u64 durable mark      52 u32 checksum of the group before
//!                                  56 u32 checksum of the entries (below)
//!                                  60 u32 checksum of bytes 0..60
//! entry    0 u8  kind (1 batch, 2 extent, 3 fragment, 4 truncate, 5 log start, 6 delete, 7 link)
//!          4 u32 payload length    44 u32 extent length
//!          8 u128 topic id         48 u32 start: where its first new batch begins in the segment
//!         24 i32 partition         52 u32 headers
//!         28 i32 leader epoch      56 i64 base offset
//!         32 i64 segment           64 i64 next offset
//!         40 u32 position          72 u32 checksum of a fragment's bytes      76 zeros      80 payload
//!
//! payload  batch: the bytes.  fragment: bytes of the segment from `position` on.
//!          extent: `headers` x 61 bytes, the headers of the batches that begin at `start` or after; u32 checksum of the
//!          extent's bytes before `start`; then the bytes that follow the extent in the segment and do not fill a block.  link: the old log's id and end (32 bytes).
//!          truncate: [`crate::manifest::Truncated`]. Its base offset is the log's new end, its segment and position are where the last
//!          segment that is left ends; if none is, that is the new one.
//! ```
//! All little endian (batches are Kafka's, so big endian). The entries' checksum runs over each entry's 80 bytes and each batch's
//! 61: a batch's records are covered by the batch's own CRC, an extent's headers by this one, its bytes by the batches' CRCs.
//!
//! A group is valid if its header's checksum holds, its entries' checksum holds, and every batch in it matches its CRC.
//! The next group is the one of the same id with the next sequence number that names this one's checksum; it lies right
//! behind this one, or at the start of another file. A *link* is the first group of a new id and continues the log whose
//! id and last sequence it names: from there on a group of the old id counts for nothing.
//!
//! Read in this order: [`entry`], [`group`] (how one is built and read), [`files`] (where the next one goes),
//! [`marks`] (written, durable, recorded), [`commit`] (what is being built), [`committer`] (the turn), [`scan`] (what recovery finds).

pub(crate) mod commit;
pub(crate) mod committer;
pub(crate) mod entry;
pub(crate) mod files;
pub(crate) mod group;
pub(crate) mod marks;
pub(crate) mod scan;

/// The identity of one log: random, new with every start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LogId(pub(crate) u128);

/// The number of a group. It goes on across ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct GroupSequence(pub(crate) u64);

impl GroupSequence {
    pub(crate) const fn next(self) -> Self {
        GroupSequence(self.0 + 1)
    }
}

/// One entry of one group: where a partition's replay starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EntryId {
    pub(crate) group: GroupSequence,
    pub(crate) ordinal: u32,
}
