//! AlterConfigs, key 33, versions 0-2: all configs of a resource are replaced by those given. Superseded by IncrementalAlterConfigs.
//!
//! 1: throttled after the answer (KIP-219). 2: flexible (KIP-482).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 33, versions = "0-2", flexible = "2+", response = AlterConfigsResponse)]
pub struct AlterConfigsRequest {
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
    pub value: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-2", flexible = "2+")]
pub struct AlterConfigsResponse {
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
