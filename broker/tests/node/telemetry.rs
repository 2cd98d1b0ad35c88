//! Clients are asked for their metrics where that is switched on, and what they push is shown.

use bytes::Bytes;
use net::wire::ErrorCode;
use net::wire::api_versions::ApiVersionsRequest;
use net::wire::get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest;
use net::wire::push_telemetry::PushTelemetryRequest;
use uuid::Uuid;

use crate::client::{Client, TestNode};

const CLIENT_METRICS: i8 = 16;
const SHOWN: &str = "odradek_client_metric";

/// A sum `m` of 3, in OpenTelemetry's protobuf.
const METRICS: &[u8] = &[
    0x0a, 22, 0x12, 20, 0x12, 18, 0x0a, 1, b'm', 0x3a, 13, 0x0a, 9, 0x31, 3, 0, 0, 0, 0, 0, 0, 0,
    0x10, 2,
];

fn push(id: Uuid, subscription_id: i32, metrics: &'static [u8]) -> PushTelemetryRequest {
    PushTelemetryRequest {
        client_instance_id: id,
        subscription_id,
        metrics: Bytes::from_static(metrics),
        ..Default::default()
    }
}

fn announces(client: &mut Client) -> bool {
    client.call(0, &ApiVersionsRequest::default()).api_keys.iter().any(|api| api.api_key == 71)
}

#[test]
fn clients_push_what_they_are_asked_for() {
    for shards in [1, 3] {
        let node = TestNode::start(shards, &[("odradek.client.telemetry", "true")]);
        let mut client = node.connect();
        assert!(announces(&mut client));
        let set = [("metrics", Some("org.a")), ("interval.ms", Some("60000"))];
        let set = client.alter(CLIENT_METRICS, "mine", &set);
        assert_eq!(set, (ErrorCode::NONE, None));
        for n in 0..6 {
            // Each shard has connections, and each knows some of the instances.
            let mut client = node.connect();
            let new = client.call(0, &GetTelemetrySubscriptionsRequest::default());
            assert_eq!((new.error_code, new.push_interval_ms), (ErrorCode::NONE, 60_000));
            assert_eq!(new.requested_metrics, ["org.a"]);
            let (id, subscription) = (new.client_instance_id, new.subscription_id);
            let known = GetTelemetrySubscriptionsRequest { client_instance_id: id };
            let early = client.call(0, &known);
            assert_eq!(early.error_code, ErrorCode::THROTTLING_QUOTA_EXCEEDED);
            let pushed = client.call(0, &push(id, subscription, METRICS));
            assert_eq!(pushed.error_code, ErrorCode::NONE);
            assert_eq!(node.counter(SHOWN), f64::from(3 * (n + 1)));
            let other = client.call(0, &push(Uuid::from_u128(77), subscription, METRICS));
            assert_ne!(other.error_code, ErrorCode::NONE);
        }
        let mut client = node.connect();
        let new = client.call(0, &GetTelemetrySubscriptionsRequest::default());
        let torn = push(new.client_instance_id, new.subscription_id, &METRICS[..10]);
        assert_eq!(client.call(0, &torn).error_code, ErrorCode::INVALID_RECORD);
    }
}

#[test]
fn where_it_is_off_nothing_is_announced_or_kept() {
    let node = TestNode::start(1, &[]);
    let mut client = node.connect();
    assert!(!announces(&mut client));
    let new = client.call(0, &GetTelemetrySubscriptionsRequest::default());
    let pushed = push(new.client_instance_id, new.subscription_id, METRICS);
    assert_eq!(client.call(0, &pushed).error_code, ErrorCode::NONE);
    assert_eq!(node.counter(SHOWN), 0.0);
}
