//! GetTelemetrySubscriptions (key 71): which metrics a client is to push, and how often (KIP-714).

use net::wire::get_telemetry_subscriptions::{
    GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse,
};
use uuid::Uuid;

use super::Context;
use super::telemetry::code;
use crate::telemetry::What;

/// zstd, lz4, gzip, snappy: the best first.
const COMPRESSION_TYPES: [i8; 4] = [4, 3, 1, 2];

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: GetTelemetrySubscriptionsRequest,
) -> GetTelemetrySubscriptionsResponse {
    let instance = match request.client_instance_id {
        new if new.is_nil() => Uuid::new_v4(),
        known => known,
    };
    match cx.shard.telemetry(cx.telemetry(instance, What::Subscriptions)).await {
        Ok(told) => {
            let told = told.unwrap_or_default();
            GetTelemetrySubscriptionsResponse {
                client_instance_id: instance,
                subscription_id: told.subscription_id,
                accepted_compression_types: COMPRESSION_TYPES.to_vec(),
                push_interval_ms: told.interval_ms,
                telemetry_max_bytes: cx.shard.config.telemetry_bytes_max,
                delta_temporality: true,
                requested_metrics: told.metrics.into_iter().map(Into::into).collect(),
                ..Default::default()
            }
        }
        Err(refusal) => {
            GetTelemetrySubscriptionsResponse { error_code: code(refusal), ..Default::default() }
        }
    }
}
