//! Which shard owns a partition: `(hash of the topic id + partition) % shards`, so that a topic's partitions spread evenly.
//!
//! The same on every start, since a shard's commit log holds its partitions' records; a change of `odradek.shards` moves them
//! through a clean stop of the old logs.

use storage::units::PartitionId;

/// The shard, of `shards` (at least one), that owns `id`.
pub(crate) fn shard_of(id: PartitionId, shards: u16) -> usize {
    let (high, low) = id.topic.0.as_u64_pair();
    // Topic ids are random: folding is enough of a hash. The multiplication spreads ids that are not (the metadata topic's is 1).
    let hash = (high ^ low).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let partition = u64::from(id.partition.unsigned_abs());
    usize::try_from((hash + partition) % u64::from(shards.max(1))).unwrap_or(0)
}
