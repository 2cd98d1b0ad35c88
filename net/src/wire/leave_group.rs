//! LeaveGroup, key 13, versions 0-5: members leave.
//!
//! - One member up to version 2, several from 3 on.
//!
//! 1: throttle time. 2: throttled after the answer (KIP-219). 3: several members, static ones (KIP-345). 4: flexible (KIP-482).
//! 5: reason (KIP-800).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 13, versions = "0-5", flexible = "4+", response = LeaveGroupResponse)]
pub struct LeaveGroupRequest {
    pub group_id: ByteString,
    /// The one who leaves.
    #[wire(versions = "0-2")]
    pub member_id: ByteString,
    #[wire(versions = "3+")]
    pub members: Vec<MemberIdentity>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct MemberIdentity {
    #[wire(versions = "3+")]
    pub member_id: ByteString,
    #[wire(versions = "3+")]
    pub group_instance_id: Option<ByteString>,
    #[wire(versions = "5+", ignorable)]
    pub reason: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-5", flexible = "4+")]
pub struct LeaveGroupResponse {
    #[wire(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    #[wire(versions = "3+")]
    pub members: Vec<MemberResponse>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct MemberResponse {
    #[wire(versions = "3+")]
    pub member_id: ByteString,
    #[wire(versions = "3+")]
    pub group_instance_id: Option<ByteString>,
    #[wire(versions = "3+")]
    pub error_code: ErrorCode,
}
