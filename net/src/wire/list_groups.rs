//! ListGroups, key 16, versions 0-5: the groups that the broker coordinates.
//!
//! 1: throttle time. 2: throttled after the answer (KIP-219). 3: flexible (KIP-482). 4: states (KIP-518). 5: types (KIP-848).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 16, versions = "0-5", flexible = "3+", response = ListGroupsResponse)]
pub struct ListGroupsRequest {
    /// Empty for all.
    #[wire(versions = "4+")]
    pub states_filter: Vec<ByteString>,
    /// Empty for all.
    #[wire(versions = "5+")]
    pub types_filter: Vec<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-5", flexible = "3+")]
pub struct ListGroupsResponse {
    #[wire(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub groups: Vec<ListedGroup>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ListedGroup {
    pub group_id: ByteString,
    pub protocol_type: ByteString,
    #[wire(versions = "4+", ignorable)]
    pub group_state: ByteString,
    #[wire(versions = "5+", ignorable)]
    pub group_type: ByteString,
}
