//! Metadata, key 3, versions 0-13: brokers, the controller, topics and who leads their partitions.
//!
//! - Topics null asks for all, an empty list for none; version 0 knows no null, and asks for all by the empty list.
//! - From version 12 a topic may be asked for by id, with a null name.
//! - Authorised operations are bits, or `i32::MIN` when nobody asked.
//!
//! 1: racks, controller, internal topics, null for all topics. 2: cluster id (KIP-78). 3: throttle time (KIP-124).
//! 4: whether to create what is not there. 5: offline replicas (KIP-112). 6: throttled after the answer (KIP-219).
//! 7: leader epoch (KIP-320). 8: authorised operations (KIP-430). 9: flexible (KIP-482). 10: topic ids in the answer (KIP-516).
//! 11: the cluster's operations moved to DescribeCluster (KIP-700). 12: by topic id (KIP-516). 13: an error for all (KIP-1102).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 3, versions = "0-13", flexible = "9+", response = MetadataResponse)]
pub struct MetadataRequest {
    /// Null for all.
    #[wire(nullable = "1+")]
    pub topics: Option<Vec<MetadataRequestTopic>>,
    #[wire(versions = "4+", default = true)]
    pub allow_auto_topic_creation: bool,
    #[wire(versions = "8-10")]
    pub include_cluster_authorized_operations: bool,
    #[wire(versions = "8+")]
    pub include_topic_authorized_operations: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct MetadataRequestTopic {
    /// Nil where the name is given.
    #[wire(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[wire(nullable = "10+")]
    pub name: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-13", flexible = "9+")]
pub struct MetadataResponse {
    #[wire(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    pub brokers: Vec<MetadataResponseBroker>,
    #[wire(versions = "2+", ignorable)]
    pub cluster_id: Option<ByteString>,
    #[wire(versions = "1+", default = -1, ignorable)]
    pub controller_id: i32,
    pub topics: Vec<MetadataResponseTopic>,
    /// Bits; `i32::MIN` when nobody asked.
    #[wire(versions = "8-10", default = i32::MIN)]
    pub cluster_authorized_operations: i32,
    #[wire(versions = "13+", ignorable)]
    pub error_code: ErrorCode,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct MetadataResponseBroker {
    pub node_id: i32,
    pub host: ByteString,
    pub port: i32,
    #[wire(versions = "1+", ignorable)]
    pub rack: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct MetadataResponseTopic {
    pub error_code: ErrorCode,
    /// Null for an id that is not known.
    #[wire(nullable = "12+")]
    pub name: Option<ByteString>,
    #[wire(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[wire(versions = "1+", ignorable)]
    pub is_internal: bool,
    pub partitions: Vec<MetadataResponsePartition>,
    /// Bits; `i32::MIN` when nobody asked.
    #[wire(versions = "8+", default = i32::MIN)]
    pub topic_authorized_operations: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct MetadataResponsePartition {
    pub error_code: ErrorCode,
    pub partition_index: i32,
    /// -1 for none.
    pub leader_id: i32,
    #[wire(versions = "7+", default = -1, ignorable)]
    pub leader_epoch: i32,
    pub replica_nodes: Vec<i32>,
    pub isr_nodes: Vec<i32>,
    #[wire(versions = "5+", ignorable)]
    pub offline_replicas: Vec<i32>,
}
