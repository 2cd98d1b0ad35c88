//! AlterReplicaLogDirs, key 34, versions 1-2: moves replicas of this broker to other log directories of its own (KIP-113).
//!
//! - The answer says that a move has begun, or why not. How far it is, DescribeLogDirs tells.
//!
//! 1: throttle time counts from the answer (KIP-219). 2: flexible (KIP-482).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 34, versions = "1-2", flexible = "2+", response = AlterReplicaLogDirsResponse)]
pub struct AlterReplicaLogDirsRequest {
    pub dirs: Vec<AlterReplicaLogDir>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AlterReplicaLogDir {
    /// An absolute path.
    pub path: ByteString,
    pub topics: Vec<AlterReplicaLogDirTopic>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AlterReplicaLogDirTopic {
    pub name: ByteString,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "1-2", flexible = "2+")]
pub struct AlterReplicaLogDirsResponse {
    pub throttle_time_ms: i32,
    pub results: Vec<AlterReplicaLogDirTopicResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AlterReplicaLogDirTopicResult {
    pub topic_name: ByteString,
    pub partitions: Vec<AlterReplicaLogDirPartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AlterReplicaLogDirPartitionResult {
    pub partition_index: i32,
    pub error_code: ErrorCode,
}
