//! PushTelemetry, key 72, version 0: a client's metrics (KIP-714).

use bytes::Bytes;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 72, versions = "0", flexible = "0+", response = PushTelemetryResponse)]
pub struct PushTelemetryRequest {
    pub client_instance_id: Uuid,
    pub subscription_id: i32,
    pub terminating: bool,
    pub compression_type: i8,
    /// OpenTelemetry's `MetricsData`, compressed.
    pub metrics: Bytes,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct PushTelemetryResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
}
