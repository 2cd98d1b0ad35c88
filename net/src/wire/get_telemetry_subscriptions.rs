//! GetTelemetrySubscriptions, key 71, version 0: which metrics a client is asked to push, and how often (KIP-714).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 71, versions = "0", flexible = "0+", response = GetTelemetrySubscriptionsResponse)]
pub struct GetTelemetrySubscriptionsRequest {
    /// Nil for a client that has none yet: it gets one.
    pub client_instance_id: Uuid,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct GetTelemetrySubscriptionsResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub client_instance_id: Uuid,
    /// Changes whenever what is subscribed to does.
    pub subscription_id: i32,
    /// Codecs, the best first.
    pub accepted_compression_types: Vec<i8>,
    pub push_interval_ms: i32,
    pub telemetry_max_bytes: i32,
    pub delta_temporality: bool,
    /// Prefixes of names, `*` for all; an empty list asks for none.
    pub requested_metrics: Vec<ByteString>,
}
