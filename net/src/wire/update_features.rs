//! UpdateFeatures, key 57, versions 0-2: finalised features are raised or lowered (KIP-584).
//!
//! 1: kinds of upgrade, validation only (KIP-778). 2: one error for all of them (KIP-1022).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 57, versions = "0-2", flexible = "0+", response = UpdateFeaturesResponse)]
pub struct UpdateFeaturesRequest {
    #[wire(default = 60000)]
    pub timeout_ms: i32,
    pub feature_updates: Vec<FeatureUpdateKey>,
    #[wire(versions = "1+")]
    pub validate_only: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct FeatureUpdateKey {
    pub feature: ByteString,
    /// 0 takes the feature away.
    pub max_version_level: i16,
    #[wire(versions = "0")]
    pub allow_downgrade: bool,
    /// 1 upgrade, 2 safe downgrade, 3 unsafe downgrade.
    #[wire(versions = "1+", default = 1)]
    pub upgrade_type: i8,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-2", flexible = "0+")]
pub struct UpdateFeaturesResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    #[wire(versions = "0-1", ignorable)]
    pub results: Vec<UpdatableFeatureResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct UpdatableFeatureResult {
    pub feature: ByteString,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
}
