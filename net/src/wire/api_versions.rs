//! ApiVersions, key 18, versions 0-4: what this broker speaks; the first request of a connection.
//!
//! - A version that is not served is answered in the form of version 0, with UNSUPPORTED_VERSION and the right versions.
//! - The response's header has no tags, even where its body has (`header`).
//!
//! 0: KIP-35. 1: throttle time (KIP-124). 2: throttled after the answer (KIP-219). 3: flexible (KIP-482), the client's name and
//! version (KIP-511), features (KIP-584). 4: features whose lowest version is 0 (KAFKA-17011).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 18, versions = "0-4", flexible = "3+", response = ApiVersionsResponse)]
pub struct ApiVersionsRequest {
    #[wire(versions = "3+", ignorable)]
    pub client_software_name: ByteString,
    #[wire(versions = "3+", ignorable)]
    pub client_software_version: ByteString,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-4", flexible = "3+")]
pub struct ApiVersionsResponse {
    pub error_code: ErrorCode,
    pub api_keys: Vec<ApiVersion>,
    #[wire(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[wire(versions = "3+", tag = 0, ignorable)]
    pub supported_features: Vec<SupportedFeatureKey>,
    /// -1 when it is not known.
    #[wire(versions = "3+", tag = 1, default = -1, ignorable)]
    pub finalized_features_epoch: i64,
    /// Valid with an epoch of 0 and more.
    #[wire(versions = "3+", tag = 2, ignorable)]
    pub finalized_features: Vec<FinalizedFeatureKey>,
    #[wire(versions = "3+", tag = 3, ignorable)]
    pub zk_migration_ready: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ApiVersion {
    pub api_key: i16,
    pub min_version: i16,
    pub max_version: i16,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct SupportedFeatureKey {
    pub name: ByteString,
    pub min_version: i16,
    pub max_version: i16,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct FinalizedFeatureKey {
    pub name: ByteString,
    pub max_version_level: i16,
    pub min_version_level: i16,
}
