//! IncrementalAlterConfigs, key 44, versions 0-1: configs of resources are set, deleted, and lists grown or shortened (KIP-339).
//!
//! 1: flexible (KIP-482).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 44, versions = "0-1", flexible = "1+", response = IncrementalAlterConfigsResponse)]
pub struct IncrementalAlterConfigsRequest {
    pub resources: Vec<AlterConfigsResource>,
    pub validate_only: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AlterConfigsResource {
    /// 2 a topic, 4 a broker, 8 its loggers, 16 client metrics, 32 a group.
    pub resource_type: i8,
    pub resource_name: ByteString,
    pub configs: Vec<AlterableConfig>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AlterableConfig {
    pub name: ByteString,
    /// 0 set, 1 delete, 2 append to a list, 3 subtract from a list.
    pub config_operation: i8,
    pub value: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-1", flexible = "1+")]
pub struct IncrementalAlterConfigsResponse {
    pub throttle_time_ms: i32,
    pub responses: Vec<AlterConfigsResourceResponse>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AlterConfigsResourceResponse {
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub resource_type: i8,
    pub resource_name: ByteString,
}
