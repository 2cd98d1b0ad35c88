//! Records of topics, their partitions and configs.

use bytestring::ByteString;
use net::wire::Wire;
use uuid::Uuid;

/// A topic came to be; its configs and partitions follow.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct TopicRecord {
    pub name: ByteString,
    pub topic_id: Uuid,
}

/// A partition, whole.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0-2", flexible = "0+")]
pub struct PartitionRecord {
    #[wire(default = -1)]
    pub partition_id: i32,
    pub topic_id: Uuid,
    pub replicas: Vec<i32>,
    pub isr: Vec<i32>,
    pub removing_replicas: Vec<i32>,
    pub adding_replicas: Vec<i32>,
    #[wire(default = -1)]
    pub leader: i32,
    #[wire(tag = 0)]
    pub leader_recovery_state: i8,
    #[wire(default = -1)]
    pub leader_epoch: i32,
    #[wire(default = -1)]
    pub partition_epoch: i32,
    #[wire(versions = "1+")]
    pub directories: Vec<Uuid>,
    #[wire(versions = "2+", nullable = "2+", tag = 1)]
    pub eligible_leader_replicas: Option<Vec<i32>>,
    #[wire(versions = "2+", nullable = "2+", tag = 2)]
    pub last_known_elr: Option<Vec<i32>>,
}

/// What changed of a partition; absent fields stay. A leader of -2 means: unchanged.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0-2", flexible = "0+")]
pub struct PartitionChangeRecord {
    #[wire(default = -1)]
    pub partition_id: i32,
    pub topic_id: Uuid,
    #[wire(nullable = "0+", tag = 0)]
    pub isr: Option<Vec<i32>>,
    #[wire(tag = 1, default = -2)]
    pub leader: i32,
    #[wire(nullable = "0+", tag = 2)]
    pub replicas: Option<Vec<i32>>,
    #[wire(nullable = "0+", tag = 3)]
    pub removing_replicas: Option<Vec<i32>>,
    #[wire(nullable = "0+", tag = 4)]
    pub adding_replicas: Option<Vec<i32>>,
    #[wire(tag = 5, default = -1)]
    pub leader_recovery_state: i8,
    #[wire(versions = "1+", nullable = "1+", tag = 8)]
    pub directories: Option<Vec<Uuid>>,
    #[wire(versions = "2+", nullable = "2+", tag = 6)]
    pub eligible_leader_replicas: Option<Vec<i32>>,
    #[wire(versions = "2+", nullable = "2+", tag = 7)]
    pub last_known_elr: Option<Vec<i32>>,
}

/// A topic and everything of it is gone.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct RemoveTopicRecord {
    pub topic_id: Uuid,
}

/// Forget the eligible leader replicas of a topic, or of all (KIP-966).
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct ClearElrRecord {
    pub topic_name: ByteString,
}

/// One config of one resource was set, or with a null value deleted.
#[derive(Debug, Clone, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct ConfigRecord {
    pub resource_type: i8,
    pub resource_name: ByteString,
    pub name: ByteString,
    #[wire(nullable = "0+")]
    pub value: Option<ByteString>,
}
