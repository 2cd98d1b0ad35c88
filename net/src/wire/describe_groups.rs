//! DescribeGroups, key 15, versions 0-6: state and members of classic groups.
//!
//! 1: throttle time. 2: throttled after the answer (KIP-219). 3: authorized operations (KIP-430). 4: static members (KIP-345).
//! 5: flexible (KIP-482). 6: GROUP_ID_NOT_FOUND with a message (KIP-1043).

use bytes::Bytes;
use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 15, versions = "0-6", flexible = "5+", response = DescribeGroupsResponse)]
pub struct DescribeGroupsRequest {
    pub groups: Vec<ByteString>,
    #[wire(versions = "3+")]
    pub include_authorized_operations: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-6", flexible = "5+")]
pub struct DescribeGroupsResponse {
    #[wire(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    pub groups: Vec<DescribedGroup>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribedGroup {
    pub error_code: ErrorCode,
    #[wire(versions = "6+")]
    pub error_message: Option<ByteString>,
    pub group_id: ByteString,
    pub group_state: ByteString,
    pub protocol_type: ByteString,
    /// The protocol that was chosen; empty unless the group is stable.
    pub protocol_data: ByteString,
    pub members: Vec<DescribedGroupMember>,
    /// `i32::MIN` where nobody asked.
    #[wire(versions = "3+", default = i32::MIN)]
    pub authorized_operations: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribedGroupMember {
    pub member_id: ByteString,
    #[wire(versions = "4+", ignorable)]
    pub group_instance_id: Option<ByteString>,
    pub client_id: ByteString,
    pub client_host: ByteString,
    pub member_metadata: Bytes,
    pub member_assignment: Bytes,
}
