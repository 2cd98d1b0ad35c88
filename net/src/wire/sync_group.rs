//! SyncGroup, key 14, versions 0-5: the leader says who gets what; every member waits for its part.
//!
//! 1: throttle time. 2: throttled after the answer (KIP-219). 3: static members (KIP-345). 4: flexible (KIP-482).
//! 5: protocol type and name (KIP-559).

use bytes::Bytes;
use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 14, versions = "0-5", flexible = "4+", response = SyncGroupResponse)]
pub struct SyncGroupRequest {
    pub group_id: ByteString,
    pub generation_id: i32,
    pub member_id: ByteString,
    #[wire(versions = "3+")]
    pub group_instance_id: Option<ByteString>,
    #[wire(versions = "5+", ignorable)]
    pub protocol_type: Option<ByteString>,
    #[wire(versions = "5+", ignorable)]
    pub protocol_name: Option<ByteString>,
    /// From the leader; empty from the others.
    pub assignments: Vec<SyncGroupRequestAssignment>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct SyncGroupRequestAssignment {
    pub member_id: ByteString,
    pub assignment: Bytes,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-5", flexible = "4+")]
pub struct SyncGroupResponse {
    #[wire(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    #[wire(versions = "5+", ignorable)]
    pub protocol_type: Option<ByteString>,
    #[wire(versions = "5+", ignorable)]
    pub protocol_name: Option<ByteString>,
    pub assignment: Bytes,
}
