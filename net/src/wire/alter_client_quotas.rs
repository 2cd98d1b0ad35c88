//! AlterClientQuotas, key 49, versions 0-1: quotas of users, client ids and addresses are set or removed (KIP-546).
//!
//! 1: flexible (KIP-482).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 49, versions = "0-1", flexible = "1+", response = AlterClientQuotasResponse)]
pub struct AlterClientQuotasRequest {
    pub entries: Vec<EntryData>,
    pub validate_only: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct EntryData {
    pub entity: Vec<EntityData>,
    pub ops: Vec<OpData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct EntityData {
    pub entity_type: ByteString,
    /// Null for the default.
    pub entity_name: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OpData {
    pub key: ByteString,
    pub value: f64,
    pub remove: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-1", flexible = "1+")]
pub struct AlterClientQuotasResponse {
    pub throttle_time_ms: i32,
    pub entries: Vec<EntryResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct EntryResult {
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub entity: Vec<EntityData>,
}
