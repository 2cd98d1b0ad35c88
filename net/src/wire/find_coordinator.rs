//! FindCoordinator, key 10, versions 0-6: which broker coordinates a group (key type 0), a transactional id (1) or a share partition (2).
//!
//! 1: key types, throttle time. 2: throttled after the answer (KIP-219). 3: flexible (KIP-482). 4: several keys (KIP-699).
//! 5: TRANSACTION_ABORTABLE (KIP-890). 6: share groups (KIP-932).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 10, versions = "0-6", flexible = "3+", response = FindCoordinatorResponse)]
pub struct FindCoordinatorRequest {
    #[wire(versions = "0-3")]
    pub key: ByteString,
    /// 0 group, 1 transactional id, 2 share partition.
    #[wire(versions = "1+")]
    pub key_type: i8,
    #[wire(versions = "4+")]
    pub coordinator_keys: Vec<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-6", flexible = "3+")]
pub struct FindCoordinatorResponse {
    #[wire(versions = "1+", ignorable)]
    pub throttle_time_ms: i32,
    #[wire(versions = "0-3")]
    pub error_code: ErrorCode,
    #[wire(versions = "1-3", ignorable)]
    pub error_message: Option<ByteString>,
    #[wire(versions = "0-3")]
    pub node_id: i32,
    #[wire(versions = "0-3")]
    pub host: ByteString,
    #[wire(versions = "0-3")]
    pub port: i32,
    #[wire(versions = "4+")]
    pub coordinators: Vec<Coordinator>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct Coordinator {
    #[wire(versions = "4+")]
    pub key: ByteString,
    #[wire(versions = "4+")]
    pub node_id: i32,
    #[wire(versions = "4+")]
    pub host: ByteString,
    #[wire(versions = "4+")]
    pub port: i32,
    #[wire(versions = "4+")]
    pub error_code: ErrorCode,
    #[wire(versions = "4+", ignorable)]
    pub error_message: Option<ByteString>,
}
