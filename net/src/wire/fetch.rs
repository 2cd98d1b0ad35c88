//! Fetch, key 1, versions 4-18: records from an offset, for consumers and followers.
//!
//! - Waits until `min_bytes` have gathered or `max_wait_ms` are over.
//! - The first partition that has records gives at least one batch, however small the limits.
//! - A session (KIP-227) says each partition once; later requests name what changed, responses what is new.
//! - Topics are named by name up to version 12, by id from 13.
//! - Records are whatever lies in the log: whole batches from the one that holds the offset, and perhaps a torn one at the end.
//!
//! 4: isolation level, aborted transactions (KIP-98). 5: log start offset (KIP-107). 6: KAFKA_STORAGE_ERROR (KIP-112).
//! 7: sessions (KIP-227). 8: throttled after the answer (KIP-219). 9: current leader epoch (KIP-320). 10: zstd (KIP-110).
//! 11: racks, preferred read replica (KIP-392). 12: flexible (KIP-482), diverging epochs, snapshots (KIP-595).
//! 13: topic ids (KIP-516). 14: OFFSET_MOVED_TO_TIERED_STORAGE (KIP-405). 15: replica epoch (KIP-903).
//! 16: endpoints of new leaders (KIP-951). 17: directory ids (KIP-853). 18: the follower's high watermark (KIP-1166).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Records, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 1, versions = "4-18", flexible = "12+", response = FetchResponse)]
pub struct FetchRequest {
    #[wire(versions = "12+", tag = 0, ignorable)]
    pub cluster_id: Option<ByteString>,
    /// A follower's node id; -1 for a consumer.
    #[wire(versions = "0-14", default = -1)]
    pub replica_id: i32,
    /// From version 15 in place of `replica_id`.
    #[wire(versions = "15+", tag = 1)]
    pub replica_state: ReplicaState,
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    /// For the whole response.
    #[wire(default = i32::MAX)]
    pub max_bytes: i32,
    /// 0 reads all, 1 only what is committed.
    pub isolation_level: i8,
    /// 0 for none.
    #[wire(versions = "7+", ignorable)]
    pub session_id: i32,
    /// -1 without a session, 0 to begin one, then counting up.
    #[wire(versions = "7+", default = -1, ignorable)]
    pub session_epoch: i32,
    pub topics: Vec<FetchTopic>,
    #[wire(versions = "7+")]
    pub forgotten_topics_data: Vec<ForgottenTopic>,
    #[wire(versions = "11+", ignorable)]
    pub rack_id: ByteString,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ReplicaState {
    #[wire(default = -1)]
    pub replica_id: i32,
    #[wire(default = -1)]
    pub replica_epoch: i64,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct FetchTopic {
    #[wire(versions = "0-12", ignorable)]
    pub topic: ByteString,
    #[wire(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    pub partitions: Vec<FetchPartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct FetchPartition {
    pub partition: i32,
    /// -1 to leave it unchecked.
    #[wire(versions = "9+", default = -1, ignorable)]
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    /// Epoch of the last record that a follower has, -1 for none.
    #[wire(versions = "12+", default = -1)]
    pub last_fetched_epoch: i32,
    /// A follower's, -1 from a consumer.
    #[wire(versions = "5+", default = -1, ignorable)]
    pub log_start_offset: i64,
    pub partition_max_bytes: i32,
    #[wire(versions = "17+", tag = 0, ignorable)]
    pub replica_directory_id: Uuid,
    /// The one that the follower knows; `i64::MAX` for none.
    #[wire(versions = "18+", tag = 1, default = i64::MAX, ignorable)]
    pub high_watermark: i64,
}

/// Partitions that leave the session.
#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ForgottenTopic {
    #[wire(versions = "7-12", ignorable)]
    pub topic: ByteString,
    #[wire(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "4-18", flexible = "12+")]
pub struct FetchResponse {
    pub throttle_time_ms: i32,
    #[wire(versions = "7+", ignorable)]
    pub error_code: ErrorCode,
    #[wire(versions = "7+")]
    pub session_id: i32,
    pub responses: Vec<FetchableTopicResponse>,
    #[wire(versions = "16+", tag = 0)]
    pub node_endpoints: Vec<NodeEndpoint>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct FetchableTopicResponse {
    #[wire(versions = "0-12", ignorable)]
    pub topic: ByteString,
    #[wire(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionData {
    pub partition_index: i32,
    pub error_code: ErrorCode,
    pub high_watermark: i64,
    /// Below it all transactions are decided.
    #[wire(default = -1)]
    pub last_stable_offset: i64,
    #[wire(versions = "5+", default = -1, ignorable)]
    pub log_start_offset: i64,
    /// Where the follower's log left the leader's.
    #[wire(versions = "12+", tag = 0)]
    pub diverging_epoch: EpochEndOffset,
    #[wire(versions = "12+", tag = 1)]
    pub current_leader: LeaderIdAndEpoch,
    /// For a quorum's follower: what to fetch instead.
    #[wire(versions = "12+", tag = 2)]
    pub snapshot_id: SnapshotId,
    /// Null unless committed records were asked for.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// -1 for this one.
    #[wire(versions = "11+", default = -1)]
    pub preferred_read_replica: i32,
    pub records: Records,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct EpochEndOffset {
    #[wire(default = -1)]
    pub epoch: i32,
    #[wire(default = -1)]
    pub end_offset: i64,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct LeaderIdAndEpoch {
    #[wire(default = -1)]
    pub leader_id: i32,
    #[wire(default = -1)]
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct SnapshotId {
    #[wire(default = -1)]
    pub end_offset: i64,
    #[wire(default = -1)]
    pub epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct NodeEndpoint {
    pub node_id: i32,
    pub host: ByteString,
    pub port: i32,
    pub rack: Option<ByteString>,
}
