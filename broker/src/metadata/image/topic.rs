//! Topics and partitions of the image.

use std::sync::Arc;

use bytestring::ByteString;
use storage::units::{Epoch, TopicId};
use uuid::Uuid;

use crate::metadata::records::{PartitionChangeRecord, PartitionRecord};

/// `leader` of a partition that nobody leads.
pub const NO_LEADER: i32 = -1;
/// `leader` in a change record that leaves the leader as it is.
const LEADER_UNCHANGED: i32 = -2;
/// `leader_recovery_state` in a change record that leaves it as it is.
const RECOVERY_UNCHANGED: i8 = -1;

/// The directory of a replica before its broker has placed it (`DirectoryId.UNASSIGNED`).
pub const UNASSIGNED_DIRECTORY: Uuid = Uuid::from_u128(1);
/// The directory of a replica that was there before directories had ids (`DirectoryId.MIGRATING`).
pub(super) const MIGRATING_DIRECTORY: Uuid = Uuid::from_u128(0);

/// A topic. Partitions are numbered from 0 without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub id: TopicId,
    pub name: ByteString,
    pub partitions: imbl::Vector<Arc<Partition>>,
}

impl Topic {
    pub fn partition(&self, partition: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }

    /// Partitions with their numbers.
    pub fn partitions(&self) -> impl Iterator<Item = (i32, &Arc<Partition>)> {
        (0..).zip(self.partitions.iter())
    }
}

/// A partition as the controller decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Brokers that hold a replica, the preferred leader first; `directories` goes with it.
    pub replicas: Vec<i32>,
    pub directories: Vec<Uuid>,
    pub isr: Vec<i32>,
    pub removing: Vec<i32>,
    pub adding: Vec<i32>,
    /// Eligible leader replicas, and those last known (KIP-966).
    pub eligible: Vec<i32>,
    pub last_known_eligible: Vec<i32>,
    /// `NO_LEADER` or a broker.
    pub leader: i32,
    pub leader_epoch: Epoch,
    /// Counts every change of this partition.
    pub partition_epoch: i32,
    /// The leader was elected uncleanly and has not yet said that it is done recovering.
    pub recovering: bool,
}

impl Partition {
    pub(super) fn from_record(record: &PartitionRecord) -> Partition {
        Partition {
            replicas: record.replicas.clone(),
            directories: directories(&record.directories, record.replicas.len()),
            isr: record.isr.clone(),
            removing: record.removing_replicas.clone(),
            adding: record.adding_replicas.clone(),
            eligible: record.eligible_leader_replicas.clone().unwrap_or_default(),
            last_known_eligible: record.last_known_elr.clone().unwrap_or_default(),
            leader: record.leader,
            leader_epoch: Epoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
            recovering: record.leader_recovery_state == 1,
        }
    }

    /// The partition after a change. A record that names a leader raises the leader epoch, also if it names the same.
    pub(super) fn changed(&self, change: &PartitionChangeRecord) -> Partition {
        let keep = |new: &Option<Vec<i32>>, old: &Vec<i32>| new.as_ref().unwrap_or(old).clone();
        let replicas = keep(&change.replicas, &self.replicas);
        let named = change.leader != LEADER_UNCHANGED;
        Partition {
            directories: directories(
                change.directories.as_ref().unwrap_or(&self.directories),
                replicas.len(),
            ),
            replicas,
            isr: keep(&change.isr, &self.isr),
            removing: keep(&change.removing_replicas, &self.removing),
            adding: keep(&change.adding_replicas, &self.adding),
            eligible: keep(&change.eligible_leader_replicas, &self.eligible),
            last_known_eligible: keep(&change.last_known_elr, &self.last_known_eligible),
            leader: if named { change.leader } else { self.leader },
            leader_epoch: if named { Epoch(self.leader_epoch.0 + 1) } else { self.leader_epoch },
            partition_epoch: self.partition_epoch + 1,
            recovering: match change.leader_recovery_state {
                RECOVERY_UNCHANGED => self.recovering,
                state => state == 1,
            },
        }
    }

    /// The record that says all of this.
    pub(super) fn record(&self, topic: TopicId, partition: i32) -> PartitionRecord {
        // Kafka writes the eligible replicas only where there are some.
        let some = |list: &Vec<i32>| (!list.is_empty()).then(|| list.clone());
        PartitionRecord {
            partition_id: partition,
            topic_id: topic.0,
            replicas: self.replicas.clone(),
            isr: self.isr.clone(),
            removing_replicas: self.removing.clone(),
            adding_replicas: self.adding.clone(),
            leader: self.leader,
            leader_recovery_state: i8::from(self.recovering),
            leader_epoch: self.leader_epoch.0,
            partition_epoch: self.partition_epoch,
            directories: self.directories.clone(),
            eligible_leader_replicas: some(&self.eligible),
            last_known_elr: some(&self.last_known_eligible),
        }
    }

    /// In which of its directories a broker holds its replica; none if it holds none.
    pub fn directory(&self, broker: i32) -> Option<Uuid> {
        let index = self.replicas.iter().position(|replica| *replica == broker)?;
        self.directories.get(index).copied()
    }
}

/// Records of versions without directories, or with a list that does not fit, mean: not known yet.
fn directories(named: &[Uuid], replicas: usize) -> Vec<Uuid> {
    if named.len() == replicas { named.to_vec() } else { vec![MIGRATING_DIRECTORY; replicas] }
}

impl PartitionChangeRecord {
    /// A change that changes nothing yet: set the fields that do.
    pub fn of(topic: TopicId, partition: i32) -> PartitionChangeRecord {
        PartitionChangeRecord {
            partition_id: partition,
            topic_id: topic.0,
            isr: None,
            leader: LEADER_UNCHANGED,
            replicas: None,
            removing_replicas: None,
            adding_replicas: None,
            leader_recovery_state: RECOVERY_UNCHANGED,
            directories: None,
            eligible_leader_replicas: None,
            last_known_elr: None,
        }
    }
}
