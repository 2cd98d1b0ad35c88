//! What groups have committed, as the log says it: the offsets in force, and those of transactions that are not decided.
//!
//! Transactions are not served, but a directory that was taken over may hold their offsets: they count from the commit marker on, and
//! while one is undecided a client that wants only stable offsets is told so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytestring::ByteString;
use uuid::Uuid;

use super::records::{OffsetKey, OffsetValue};

/// A committed offset.
#[derive(Clone, Debug, PartialEq)]
pub struct Committed {
    pub offset: i64,
    /// -1 if it is not known.
    pub leader_epoch: i32,
    pub metadata: ByteString,
    /// Milliseconds since 1970.
    pub committed_at: i64,
    /// The client's own choice, milliseconds since 1970.
    pub expires_at: Option<i64>,
    /// Nil if it is not known.
    pub topic_id: Uuid,
    /// Where in the log it stands; `i64::MAX` while the log has not said.
    pub record_offset: i64,
}

impl Committed {
    fn of(value: &OffsetValue, record_offset: i64) -> Committed {
        Committed {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.clone(),
            committed_at: value.commit_timestamp,
            expires_at: (value.expire_timestamp != -1).then_some(value.expire_timestamp),
            topic_id: value.topic_id,
            record_offset,
        }
    }
}

/// Offsets by topic and partition.
pub(crate) type Topics = BTreeMap<ByteString, BTreeMap<i32, Committed>>;

/// All offsets of one coordinator.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    groups: HashMap<ByteString, Topics>,
    /// By producer id: what its open transaction will commit.
    pending: BTreeMap<i64, BTreeMap<OffsetKey, Committed>>,
    /// The same, by group: which producers have it pending.
    open: HashMap<ByteString, BTreeMap<(ByteString, i32), BTreeSet<i64>>>,
}

impl Offsets {
    /// What a group has committed; `None` if nothing.
    pub(crate) fn of_group(&self, group: &str) -> Option<&Topics> {
        self.groups.get(group)
    }

    pub(crate) fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&Committed> {
        self.groups.get(group)?.get(topic)?.get(&partition)
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = (&ByteString, &Topics)> {
        self.groups.iter()
    }

    /// How many offsets there are.
    pub(crate) fn count(&self) -> usize {
        self.groups.values().flat_map(BTreeMap::values).map(BTreeMap::len).sum()
    }

    /// Whether a transaction that is not decided commits this partition.
    pub(crate) fn is_pending(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.pending_of(group).any(|(t, p)| t == topic && p == partition)
    }

    /// Topics and partitions of a group that open transactions commit.
    pub(crate) fn pending_of(&self, group: &str) -> impl Iterator<Item = (&ByteString, i32)> {
        self.open.get(group).into_iter().flat_map(BTreeMap::keys).map(|(topic, p)| (topic, *p))
    }

    /// Topics and partitions of all groups that open transactions commit.
    pub(crate) fn all_pending(&self) -> impl Iterator<Item = (&OffsetKey, &Committed)> {
        self.pending.values().flatten()
    }

    /// A record of the log that no transaction holds.
    pub(crate) fn put(&mut self, key: &OffsetKey, value: &OffsetValue, record_offset: i64) {
        self.insert(key.clone(), Committed::of(value, record_offset));
    }

    /// A record of the log that is part of `producer`'s transaction.
    pub(crate) fn put_pending(
        &mut self,
        producer: i64,
        key: &OffsetKey,
        value: &OffsetValue,
        record_offset: i64,
    ) {
        let place = (key.topic.clone(), key.partition);
        let open = self.open.entry(key.group.clone()).or_default();
        open.entry(place).or_default().insert(producer);
        let pending = self.pending.entry(producer).or_default();
        pending.insert(key.clone(), Committed::of(value, record_offset));
    }

    /// A tombstone: also what is pending there will not be.
    pub(crate) fn remove(&mut self, key: &OffsetKey) {
        if let Some(topics) = self.groups.get_mut(&key.group) {
            if let Some(partitions) = topics.get_mut(&key.topic) {
                partitions.remove(&key.partition);
                if partitions.is_empty() {
                    topics.remove(&key.topic);
                }
            }
            if topics.is_empty() {
                self.groups.remove(&key.group);
            }
        }
        let place = (key.topic.clone(), key.partition);
        let producers = self.open.get_mut(&key.group).and_then(|open| open.remove(&place));
        for producer in producers.into_iter().flatten() {
            if let Some(pending) = self.pending.get_mut(&producer) {
                pending.remove(key);
            }
        }
        self.drop_empty(&key.group);
    }

    /// A marker: the transaction of `producer` was committed or aborted. Of a plain and a transactional commit the later record counts,
    /// whatever compaction has left between them.
    pub(crate) fn decide(&mut self, producer: i64, committed: bool) {
        for (key, offset) in self.pending.remove(&producer).unwrap_or_default() {
            let place = (key.topic.clone(), key.partition);
            if let Some(open) = self.open.get_mut(&key.group)
                && let Some(producers) = open.get_mut(&place)
            {
                producers.remove(&producer);
                if producers.is_empty() {
                    open.remove(&place);
                }
            }
            self.drop_empty(&key.group);
            let existing = self.get(&key.group, &key.topic, key.partition);
            if committed && existing.is_none_or(|e| offset.record_offset > e.record_offset) {
                self.insert(key, offset);
            }
        }
    }

    fn insert(&mut self, key: OffsetKey, committed: Committed) {
        let topics = self.groups.entry(key.group).or_default();
        topics.entry(key.topic).or_default().insert(key.partition, committed);
    }

    fn drop_empty(&mut self, group: &str) {
        if self.open.get(group).is_some_and(BTreeMap::is_empty) {
            self.open.remove(group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: i32) -> OffsetKey {
        OffsetKey { group: "g".into(), topic: "t".into(), partition }
    }

    fn value(offset: i64) -> OffsetValue {
        OffsetValue { offset, ..OffsetValue::default() }
    }

    fn at(offsets: &Offsets, partition: i32) -> Option<i64> {
        offsets.get("g", "t", partition).map(|committed| committed.offset)
    }

    #[test]
    fn what_a_transaction_commits_counts_from_its_marker_on() {
        let mut offsets = Offsets::default();
        offsets.put(&key(0), &value(1), 10);
        offsets.put_pending(7, &key(0), &value(2), 11);
        offsets.put_pending(8, &key(1), &value(9), 12);
        assert_eq!(at(&offsets, 0), Some(1));
        assert!(offsets.is_pending("g", "t", 0) && offsets.is_pending("g", "t", 1));
        offsets.decide(7, true);
        offsets.decide(8, false);
        assert_eq!((at(&offsets, 0), at(&offsets, 1)), (Some(2), None));
        assert_eq!((offsets.pending_of("g").count(), offsets.all_pending().count()), (0, 0));
    }

    #[test]
    fn a_plain_commit_after_the_transactions_record_outlives_the_marker() {
        let mut offsets = Offsets::default();
        offsets.put_pending(7, &key(0), &value(2), 11);
        offsets.put(&key(0), &value(3), 12);
        offsets.decide(7, true);
        assert_eq!(at(&offsets, 0), Some(3));
    }

    #[test]
    fn a_tombstone_takes_what_is_pending_with_it() {
        let mut offsets = Offsets::default();
        offsets.put(&key(0), &value(1), 10);
        offsets.put_pending(7, &key(0), &value(2), 11);
        offsets.remove(&key(0));
        offsets.decide(7, true);
        assert_eq!((at(&offsets, 0), offsets.count()), (None, 0));
        assert!(offsets.of_group("g").is_none());
    }
}
