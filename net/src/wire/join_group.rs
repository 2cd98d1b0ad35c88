//! JoinGroup, key 11, versions 0-9: a member enters the group's next generation, and waits for it.
//!
//! - `protocols`: the assignors (or whatever the protocol type has) that the member knows, in its order of preference.
//! - Only the leader is told the members.
//!
//! 1: rebalance timeout (KIP-62). 2: throttle time. 3: throttled after the answer (KIP-219). 4: MEMBER_ID_REQUIRED (KIP-394).
//! 5: static members (KIP-345). 6: flexible (KIP-482). 7: protocol type (KIP-559). 8: reason (KIP-800).
//! 9: skip assignment (KIP-814).

use bytes::Bytes;
use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 11, versions = "0-9", flexible = "6+", response = JoinGroupResponse)]
pub struct JoinGroupRequest {
    pub group_id: ByteString,
    pub session_timeout_ms: i32,
    /// How long the group waits for this member to join again; before version 1 it is the session timeout.
    #[wire(versions = "1+", default = -1, ignorable)]
    pub rebalance_timeout_ms: i32,
    /// Empty at first.
    pub member_id: ByteString,
    /// Of a static member.
    #[wire(versions = "5+")]
    pub group_instance_id: Option<ByteString>,
    pub protocol_type: ByteString,
    /// In the order of preference.
    pub protocols: Vec<JoinGroupRequestProtocol>,
    #[wire(versions = "8+", ignorable)]
    pub reason: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct JoinGroupRequestProtocol {
    pub name: ByteString,
    pub metadata: Bytes,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-9", flexible = "6+")]
pub struct JoinGroupResponse {
    #[wire(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    #[wire(default = -1)]
    pub generation_id: i32,
    #[wire(versions = "7+", ignorable)]
    pub protocol_type: Option<ByteString>,
    #[wire(nullable = "7+")]
    pub protocol_name: Option<ByteString>,
    pub leader: ByteString,
    /// The leader is not to assign: it was away only for a moment (KIP-814).
    #[wire(versions = "9+")]
    pub skip_assignment: bool,
    pub member_id: ByteString,
    /// Empty for all but the leader.
    pub members: Vec<JoinGroupResponseMember>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct JoinGroupResponseMember {
    pub member_id: ByteString,
    #[wire(versions = "5+", ignorable)]
    pub group_instance_id: Option<ByteString>,
    pub metadata: Bytes,
}
