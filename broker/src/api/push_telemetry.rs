//! PushTelemetry (key 72): a client's metrics, as it was asked for them (KIP-714).

use net::wire::ErrorCode;
use net::wire::push_telemetry::{PushTelemetryRequest, PushTelemetryResponse};

use super::Context;
use super::telemetry::code;
use crate::telemetry::What;

/// Ids below are none of clients: nil, and those that Kafka reserves.
const RESERVED: u128 = 2;

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: PushTelemetryRequest,
) -> PushTelemetryResponse {
    let told = |error_code| PushTelemetryResponse { error_code, ..Default::default() };
    if request.client_instance_id.as_u128() < RESERVED {
        return told(ErrorCode::INVALID_REQUEST);
    }
    let what = What::Push {
        subscription_id: request.subscription_id,
        terminating: request.terminating,
        codec: request.compression_type,
        metrics: request.metrics,
    };
    match cx.shard.telemetry(cx.telemetry(request.client_instance_id, what)).await {
        Ok(_) => told(ErrorCode::NONE),
        Err(refusal) => told(code(refusal)),
    }
}
