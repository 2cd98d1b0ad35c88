//! DescribeClientQuotas, key 48, versions 0-1: the quotas of users, client ids and addresses (KIP-546).
//!
//! 1: flexible (KIP-482).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 48, versions = "0-1", flexible = "1+", response = DescribeClientQuotasResponse)]
pub struct DescribeClientQuotasRequest {
    pub components: Vec<ComponentData>,
    /// Whether entities with other parts beside these are left out.
    pub strict: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ComponentData {
    pub entity_type: ByteString,
    /// 0 this name, 1 the default, 2 any that is named.
    pub match_type: i8,
    /// The name, for match type 0.
    pub r#match: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-1", flexible = "1+")]
pub struct DescribeClientQuotasResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub entries: Option<Vec<EntryData>>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct EntryData {
    pub entity: Vec<EntityData>,
    pub values: Vec<ValueData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct EntityData {
    pub entity_type: ByteString,
    /// Null for the default.
    pub entity_name: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ValueData {
    pub key: ByteString,
    pub value: f64,
}
