//! What is forgotten: offsets that are too old, groups that keep nothing, offsets of topics that were deleted.
//!
//! - A group without members keeps its offsets for `offsets.retention.minutes` from when it lost the last one; one that was never more
//!   than a place for offsets, from each commit on (KIP-211).
//! - A consumer group with members keeps those of the topics that it reads, whatever their age; the others as above.
//! - Share groups have no offsets here, and stay until they are deleted.
//! - Where the client said itself how long (OffsetCommit before version 5), that counts.

use bytestring::ByteString;
use uuid::Uuid;

use super::classic::{Group, State};
use super::coordinator::{Coordinator, Effects, Now, Then};
use super::offsets::Committed;
use super::records::{OffsetKey, Record};
use super::timers::Timer;

/// Records of one batch.
const BATCH: usize = 500;

impl Coordinator {
    /// Looks through all groups, and sets the timer for the next time.
    pub(super) fn expire(&mut self, now: Now, out: &mut Effects) {
        let mut records = Vec::new();
        for group in self.groups.values() {
            let reads = |topic: &str| group.is_subscribed(topic);
            let (expired, all) = self.expired(now, &group.id, |c| since(group, c), reads);
            records.extend(expired);
            if all && group.is(State::Empty) {
                records.push(Record::Group(group.id.clone(), None));
            }
        }
        for group in self.consumers.values() {
            let reads = |topic: &str| group.is_subscribed(topic);
            let (expired, all) = self.expired(now, &group.id, |c| Some(c.committed_at), reads);
            records.extend(expired);
            if all && group.is_empty() {
                records.extend(self.tombstones_of_consumers(&group.id));
            }
        }
        write_all(records, out);
        self.timers.set(Timer::Expiry, now.ticks + self.rules.expiry_every_ms);
    }

    /// Tombstones of what has expired, and whether nothing is left then. `since` is from when an offset's retention counts, milliseconds
    /// since 1970, or `None` while it does not; what the group reads does not expire.
    fn expired(
        &self,
        now: Now,
        id: &ByteString,
        since: impl Fn(&Committed) -> Option<i64>,
        reads: impl Fn(&str) -> bool,
    ) -> (Vec<Record>, bool) {
        let mut records = Vec::new();
        let mut all = self.offsets.pending_of(id).next().is_none();
        let Some(topics) = self.offsets.of_group(id) else { return (records, all) };
        for (topic, partitions) in topics {
            for (partition, committed) in partitions {
                let expired = since(committed).is_some_and(|since| {
                    let until = committed.expires_at;
                    now.wall_ms >= until.unwrap_or(since.saturating_add(self.rules.retention_ms))
                });
                if expired && !reads(topic) && !self.offsets.is_pending(id, topic, *partition) {
                    records.push(tombstone(id, topic, *partition));
                } else {
                    all = false;
                }
            }
        }
        (records, all)
    }

    /// Topics are no more; offsets that say of which topic of that name they are, or do not say, go with it.
    pub(crate) fn topics_deleted(&mut self, deleted: &[(ByteString, Uuid)], out: &mut Effects) {
        let mut records = Vec::new();
        for (name, id) in deleted {
            let of_topic =
                |committed: &Committed| committed.topic_id.is_nil() || committed.topic_id == *id;
            for (group, topics) in self.offsets.groups() {
                let partitions = topics.get(name).into_iter().flatten();
                let gone = partitions.filter(|(_, committed)| of_topic(committed));
                records.extend(gone.map(|(partition, _)| tombstone(group, name, *partition)));
            }
            let pending = self.offsets.all_pending();
            let pending = pending.filter(|(key, c)| key.topic == *name && of_topic(c));
            records.extend(pending.map(|(key, _)| Record::Offset(key.clone(), None)));
        }
        let ids = deleted.iter().map(|(_, id)| *id).collect();
        records.extend(self.states_of_deleted(&ids));
        write_all(records, out);
    }
}

fn write_all(mut records: Vec<Record>, out: &mut Effects) {
    while !records.is_empty() {
        let rest = records.split_off(records.len().min(BATCH));
        out.write(std::mem::replace(&mut records, rest), Then::Nothing);
    }
}

/// From when an offset's retention counts, milliseconds since 1970; `None` while it does not.
fn since(group: &Group, committed: &Committed) -> Option<i64> {
    match group.state() {
        _ if group.protocol_type.is_none() => Some(committed.committed_at),
        State::Empty => Some(group.state_since.unwrap_or(committed.committed_at)),
        State::Stable if group.is_consumers() && group.knows_subscriptions() => {
            Some(committed.committed_at)
        }
        State::Stable | State::PreparingRebalance | State::CompletingRebalance => None,
    }
}

fn tombstone(group: &ByteString, topic: &ByteString, partition: i32) -> Record {
    let key = OffsetKey { group: group.clone(), topic: topic.clone(), partition };
    Record::Offset(key, None)
}
