//! DescribeCluster, key 60, versions 0-2: the cluster's id, brokers and controller (KIP-700).
//!
//! 1: brokers or controllers (KIP-919). 2: fenced brokers (KIP-1073).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 60, versions = "0-2", flexible = "0+", response = DescribeClusterResponse)]
pub struct DescribeClusterRequest {
    pub include_cluster_authorized_operations: bool,
    /// 1 brokers, 2 controllers.
    #[wire(versions = "1+", default = 1)]
    pub endpoint_type: i8,
    #[wire(versions = "2+")]
    pub include_fenced_brokers: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-2", flexible = "0+")]
pub struct DescribeClusterResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    #[wire(versions = "1+", default = 1)]
    pub endpoint_type: i8,
    pub cluster_id: ByteString,
    #[wire(default = -1)]
    pub controller_id: i32,
    pub brokers: Vec<DescribeClusterBroker>,
    /// Bits; `i32::MIN` when nobody asked.
    #[wire(default = i32::MIN)]
    pub cluster_authorized_operations: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeClusterBroker {
    pub broker_id: i32,
    pub host: ByteString,
    pub port: i32,
    pub rack: Option<ByteString>,
    #[wire(versions = "2+")]
    pub is_fenced: bool,
}
