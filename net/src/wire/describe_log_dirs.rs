//! DescribeLogDirs, key 35, versions 1-5: the log directories of this broker, and what is in them (KIP-113).
//!
//! - Null topics ask for all partitions.
//!
//! 1: throttle time counts from the answer (KIP-219). 2: flexible (KIP-482). 3: an error of the whole. 4: the size of the file system and
//! what is free of it (KIP-827). 5: whether the directory takes new partitions (KIP-1066).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 35, versions = "1-5", flexible = "2+", response = DescribeLogDirsResponse)]
pub struct DescribeLogDirsRequest {
    /// Null asks for all.
    pub topics: Option<Vec<DescribableLogDirTopic>>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribableLogDirTopic {
    pub topic: ByteString,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "1-5", flexible = "2+")]
pub struct DescribeLogDirsResponse {
    pub throttle_time_ms: i32,
    #[wire(versions = "3+", ignorable)]
    pub error_code: ErrorCode,
    pub results: Vec<DescribeLogDirsResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeLogDirsResult {
    pub error_code: ErrorCode,
    /// An absolute path.
    pub log_dir: ByteString,
    pub topics: Vec<DescribeLogDirsTopic>,
    /// Bytes of its file system; -1 where that is not known.
    #[wire(versions = "4+", default = -1, ignorable)]
    pub total_bytes: i64,
    /// Bytes that are free for us; -1 where that is not known.
    #[wire(versions = "4+", default = -1, ignorable)]
    pub usable_bytes: i64,
    #[wire(versions = "5+", ignorable)]
    pub is_cordoned: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeLogDirsTopic {
    pub name: ByteString,
    pub partitions: Vec<DescribeLogDirsPartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeLogDirsPartition {
    pub partition_index: i32,
    /// Bytes.
    pub partition_size: i64,
    /// How far a future log is behind the partition's; of that itself, behind its high watermark: 0.
    pub offset_lag: i64,
    /// It is the copy that grows while the partition moves to this directory.
    pub is_future_key: bool,
}
