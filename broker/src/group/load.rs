//! How a coordinator comes to know its groups: the partition's records, from the first to the last.

use super::classic::Group;
use super::coordinator::{Coordinator, Effects, Now};
use super::planted::Bug;
use super::records::{OffsetKey, OffsetValue, Record};
use super::timers::Timer;

impl Coordinator {
    /// One record of the log. `producer` is the transaction's that it belongs to, if it belongs to one.
    pub(crate) fn replay(&mut self, now: Now, record: Record, producer: Option<i64>, offset: i64) {
        match record {
            Record::Offset(key, Some(value)) => {
                self.replay_offset(now, &key, &value, producer, offset);
            }
            Record::Offset(key, None) => self.offsets.remove(&key),
            Record::Group(id, Some(value)) => {
                let group = Group::of(id.clone(), &value);
                self.forget_consumer(&id);
                self.groups.insert(id, group);
            }
            Record::Group(id, None) => drop(self.groups.remove(&id)),
            Record::Consumer(id, record) => self.replay_consumer(&id, &record),
            Record::Share(id, record) => self.replay_share(now, &id, &record),
            Record::Other { group, key, live: true } => {
                self.others.entry(group).or_default().insert(key);
            }
            Record::Other { group, key, live: false } => {
                if let Some(keys) = self.others.get_mut(&group) {
                    keys.remove(&key);
                    if keys.is_empty() {
                        self.others.remove(&group);
                    }
                }
            }
            Record::Unknown(_) => {}
        }
    }

    fn replay_offset(
        &mut self,
        now: Now,
        key: &OffsetKey,
        value: &OffsetValue,
        producer: Option<i64>,
        offset: i64,
    ) {
        self.keeps_offsets(now, &key.group);
        match producer {
            None => self.offsets.put(key, value, offset),
            Some(producer) => self.offsets.put_pending(producer, key, value, offset),
        }
    }

    /// A marker of the log: a producer's transaction was committed or aborted.
    pub(crate) fn replay_marker(&mut self, producer: i64, committed: bool) {
        self.offsets.decide(producer, committed);
    }

    /// The log has been read: members have their session to report, and a group that is larger than allowed rebalances, so that those
    /// who find no place can commit before they go. So does one that was about to when it became a classic group.
    pub(crate) fn loaded(&mut self, now: Now, out: &mut Effects) {
        let members = |group: &Group| -> Vec<_> {
            let session = |m: &super::member::Member| (m.id.clone(), m.session_timeout_ms);
            group.members().map(session).map(|(id, ms)| (group.id.clone(), id, ms)).collect()
        };
        let sessions: Vec<_> = self.groups.values().flat_map(members).collect();
        self.topics_created_at = self.image.position().offset.0;
        if !self.has(Bug::NoSessionsAfterLoad) {
            sessions.iter().for_each(|(group, member, ms)| self.session(now, group, member, *ms));
        }
        self.load_consumers(now);
        self.load_shares(now);
        let must = |group: &&Group| {
            let owes = group.owes_rebalance && !self.has(Bug::RebalanceForgotten);
            group.size() > self.rules.size_max || owes
        };
        let must: Vec<_> = self.groups.values().filter(must).map(|g| g.id.clone()).collect();
        must.iter().for_each(|group| self.prepare_rebalance(now, group, out));
        self.timers.set(Timer::Expiry, now.ticks + self.rules.expiry_every_ms);
    }
}
