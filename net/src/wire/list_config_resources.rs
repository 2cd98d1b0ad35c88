//! ListConfigResources, key 74, versions 0-1: what may have configs (KIP-1142). Version 0 lists the client metrics subscriptions.
//!
//! 1: other types of resources.

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 74, versions = "0-1", flexible = "0+", response = ListConfigResourcesResponse)]
pub struct ListConfigResourcesRequest {
    /// Empty for all.
    #[wire(versions = "1+")]
    pub resource_types: Vec<i8>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-1", flexible = "0+")]
pub struct ListConfigResourcesResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub config_resources: Vec<ConfigResource>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ConfigResource {
    pub resource_name: ByteString,
    #[wire(versions = "1+", default = 16, ignorable)]
    pub resource_type: i8,
}
