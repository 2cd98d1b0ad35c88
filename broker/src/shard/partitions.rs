//! What is asked of the partitions of a shard, by its own connections and by other shards.

use std::rc::Rc;

use storage::units::{Epoch, Offset, PartitionId};

use super::Shard;
use crate::clock;
use crate::message::{
    AppendPart, Appended, EpochEndPart, FoundOffset, Message, OffsetsPart, Read, ReadAsk, Seen,
};
use crate::partition::{AppendRefusal, PendingAppend, ReadRefusal};

impl Shard {
    /// Appends the parts, each in its partition's order, which is that of the calls of this function.
    pub(crate) fn begin_append(
        self: &Rc<Self>,
        parts: Vec<AppendPart>,
    ) -> impl Future<Output = Vec<Result<PendingAppend, AppendRefusal>>> + 'static {
        let places: Vec<_> = parts
            .into_iter()
            .map(|part| {
                let partition = self.partition(part.partition);
                let turn = partition.as_ref().map(|partition| partition.enter());
                (part, partition.zip(turn))
            })
            .collect();
        let stopping = self.stopping.get();
        let shard = Rc::clone(self);
        async move {
            let mut begun = Vec::with_capacity(places.len());
            for (part, place) in places {
                begun.push(match place {
                    _ if stopping => Err(AppendRefusal::Stopping),
                    Some((partition, turn)) => {
                        shard.room(partition.directory()).await;
                        partition.append(turn, &part, clock::wall(), &shard.ring).await
                    }
                    None if shard.is_offline(part.partition) => Err(AppendRefusal::Offline),
                    None => Err(AppendRefusal::NotHere),
                });
            }
            begun
        }
    }

    /// Waits while too much is in memory that no segment has: the connection that brought the request is not read meanwhile.
    pub(super) async fn room(&self, directory: usize) {
        if let Some(place) = self.place(directory)
            && !place.store.has_room()
        {
            self.stats.room_waits.bump();
            place.store.room().await;
        }
    }

    /// Reads the partitions in order, `bytes_max` in all; the first that has a record gives at least one batch.
    pub(crate) async fn read(&self, ask: &ReadAsk) -> Vec<Result<Read, ReadRefusal>> {
        let mut left = ask.bytes_max;
        let mut at_least_one = ask.at_least_one;
        let mut reads = Vec::with_capacity(ask.parts.len());
        for part in &ask.parts {
            let read = match self.partition(part.partition) {
                Some(partition) => {
                    partition.read(part, left.min(part.bytes_max), at_least_one).await
                }
                None => Err(self.read_refusal(part.partition)),
            };
            if let Ok(read) = &read
                && read.plan.bytes > 0
            {
                at_least_one = false;
                left = left.saturating_sub(read.plan.bytes);
            }
            reads.push(read);
        }
        reads
    }

    pub(crate) async fn find_offsets(
        &self,
        parts: &[OffsetsPart],
    ) -> Vec<Result<Option<FoundOffset>, ReadRefusal>> {
        let mut found = Vec::with_capacity(parts.len());
        for part in parts {
            found.push(match self.partition(part.partition) {
                Some(partition) => partition.find_offset(part).await,
                None => Err(self.read_refusal(part.partition)),
            });
        }
        found
    }

    pub(crate) fn epoch_ends(
        &self,
        parts: &[EpochEndPart],
    ) -> Vec<Result<(Epoch, Offset), ReadRefusal>> {
        parts
            .iter()
            .map(|part| {
                let refusal = || self.read_refusal(part.partition);
                self.partition(part.partition).ok_or_else(refusal)?.epoch_end(part)
            })
            .collect()
    }

    /// Parks a fetch of `shard` on partitions of this one; false if one of them has moved already.
    pub(crate) fn watch(&self, shard: usize, watch: u64, seen: &[Seen]) -> bool {
        seen.iter().all(|seen| {
            self.partition(seen.partition)
                .is_some_and(|partition| partition.watch(shard, watch, seen.high_watermark))
        })
    }

    pub(crate) fn unwatch(&self, shard: usize, watch: u64, partitions: &[PartitionId]) {
        for id in partitions {
            if let Some(partition) = self.partition(*id) {
                partition.unwatch(shard, watch);
            }
        }
    }

    /// Tells the parked fetches, wherever their connections are.
    pub(crate) fn tell_moved(&self, mut moved: Vec<(usize, u64)>) {
        moved.sort_unstable();
        moved.dedup();
        for group in moved.chunk_by(|a, b| a.0 == b.0) {
            let watches = group.iter().map(|(_, watch)| *watch);
            if group[0].0 == self.number {
                watches.for_each(|watch| self.waits.moved(watch));
            } else {
                self.post(group[0].0, Message::Moved { watches: watches.collect() });
            }
        }
    }
}

/// Waits for all of them, in any order.
pub(crate) async fn acknowledge_all(
    begun: Vec<Result<PendingAppend, AppendRefusal>>,
) -> Vec<Result<Appended, AppendRefusal>> {
    let mut results = Vec::with_capacity(begun.len());
    for pending in begun {
        results.push(match pending {
            Ok(pending) => pending.acknowledged().await,
            Err(refusal) => Err(refusal),
        });
    }
    results
}
