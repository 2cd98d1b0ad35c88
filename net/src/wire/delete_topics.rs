//! DeleteTopics, key 20, versions 1-6.
//!
//! - By name up to version 5; from 6 by name or by id, one of both.
//!
//! 1: throttle time (KIP-124). 2: throttled after the answer (KIP-219). 3: TOPIC_DELETION_DISABLED (KIP-322). 4: flexible (KIP-482).
//! 5: error message, THROTTLING_QUOTA_EXCEEDED (KIP-599). 6: topic ids (KIP-516).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 20, versions = "1-6", flexible = "4+", response = DeleteTopicsResponse)]
pub struct DeleteTopicsRequest {
    #[wire(versions = "6+")]
    pub topics: Vec<DeleteTopicState>,
    #[wire(versions = "0-5", ignorable)]
    pub topic_names: Vec<ByteString>,
    pub timeout_ms: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DeleteTopicState {
    pub name: Option<ByteString>,
    pub topic_id: Uuid,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "1-6", flexible = "4+")]
pub struct DeleteTopicsResponse {
    pub throttle_time_ms: i32,
    pub responses: Vec<DeletableTopicResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DeletableTopicResult {
    #[wire(nullable = "6+")]
    pub name: Option<ByteString>,
    #[wire(versions = "6+", ignorable)]
    pub topic_id: Uuid,
    pub error_code: ErrorCode,
    #[wire(versions = "5+", ignorable)]
    pub error_message: Option<ByteString>,
}
