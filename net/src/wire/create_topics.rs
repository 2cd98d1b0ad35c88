//! CreateTopics, key 19, versions 2-7.
//!
//! - Partitions and replicas are counted (-1 from version 4: the broker's default) or assigned by hand, not both.
//!
//! 2: throttle time (KIP-124). 3: throttled after the answer (KIP-219). 4: defaults (KIP-464). 5: flexible (KIP-482), the answer
//! says what was made (KIP-525). 6: THROTTLING_QUOTA_EXCEEDED (KIP-599). 7: topic id (KIP-516).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 19, versions = "2-7", flexible = "5+", response = CreateTopicsResponse)]
pub struct CreateTopicsRequest {
    pub topics: Vec<CreatableTopic>,
    /// How long to wait for the topics to be there.
    #[wire(default = 60000)]
    pub timeout_ms: i32,
    /// Checks, and creates nothing.
    pub validate_only: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct CreatableTopic {
    pub name: ByteString,
    /// -1 for the default, or with assignments.
    pub num_partitions: i32,
    /// -1 for the default, or with assignments.
    pub replication_factor: i16,
    pub assignments: Vec<CreatableReplicaAssignment>,
    pub configs: Vec<CreatableTopicConfig>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct CreatableReplicaAssignment {
    pub partition_index: i32,
    pub broker_ids: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct CreatableTopicConfig {
    pub name: ByteString,
    pub value: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "2-7", flexible = "5+")]
pub struct CreateTopicsResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<CreatableTopicResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct CreatableTopicResult {
    pub name: ByteString,
    #[wire(versions = "7+", ignorable)]
    pub topic_id: Uuid,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    /// Why `configs` is null: the client may create, but not describe.
    #[wire(versions = "5+", tag = 0, ignorable)]
    pub topic_config_error_code: ErrorCode,
    #[wire(versions = "5+", default = -1, ignorable)]
    pub num_partitions: i32,
    #[wire(versions = "5+", default = -1, ignorable)]
    pub replication_factor: i16,
    #[wire(versions = "5+", ignorable)]
    pub configs: Option<Vec<CreatableTopicConfigs>>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct CreatableTopicConfigs {
    pub name: ByteString,
    pub value: Option<ByteString>,
    pub read_only: bool,
    /// As in DescribeConfigs.
    #[wire(default = -1)]
    pub config_source: i8,
    pub is_sensitive: bool,
}
