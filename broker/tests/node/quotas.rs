//! Quotas hold: over ten seconds within a tenth, whichever shards a client's connections are on.

use std::time::{Duration, Instant};

use bytes::Bytes;
use net::wire::ErrorCode;
use net::wire::alter_client_quotas::{AlterClientQuotasRequest, EntityData, EntryData, OpData};
use net::wire::describe_client_quotas::{ComponentData, DescribeClientQuotasRequest};
use net::wire::fetch::FetchRequest;
use net::wire::produce::ProduceRequest;

use crate::client::{Client, TestNode, batch, fetch_request, flat, produce_request};

/// Sets (or with none removes) a quota of `user` and `client-id`: none is not named, `*` the default.
#[track_caller]
fn set(
    client: &mut Client,
    user: Option<&str>,
    client_id: Option<&str>,
    key: &'static str,
    value: Option<f64>,
) {
    let part = |kind: &str, name: Option<&str>| {
        name.map(|name| EntityData {
            entity_type: kind.into(),
            entity_name: (name != "*").then(|| name.into()),
        })
    };
    let entity = part("user", user).into_iter().chain(part("client-id", client_id)).collect();
    let op = OpData { key: key.into(), value: value.unwrap_or_default(), remove: value.is_none() };
    let entries = vec![EntryData { entity, ops: vec![op] }];
    let request = AlterClientQuotasRequest { entries, validate_only: false };
    let told = client.call(1, &request).entries.remove(0);
    assert_eq!((told.error_code, told.error_message), (ErrorCode::NONE, None));
}

#[expect(clippy::disallowed_methods, reason = "quotas are about time")]
fn clock() -> Instant {
    Instant::now()
}

/// How long the tests run that measure a rate; the promise is about ten.
fn seconds() -> u64 {
    if std::env::var_os("ODRADEK_LONG").is_some() { 10 } else { 4 }
}

/// Produces on several connections as fast as answers come; bytes of requests that were answered in the time.
fn produce_for(node: &TestNode, topic: &'static str, connections: usize, bytes: usize) -> f64 {
    let value = "x".repeat(bytes);
    let records = batch(&[&value]);
    let until = clock() + Duration::from_secs(seconds());
    let threads: Vec<_> = (0..connections)
        .map(|n| {
            let (mut client, records) = (node.connect(), records.clone());
            std::thread::Builder::new()
                .spawn(move || produce_until(&mut client, topic, n, &records, until))
                .unwrap()
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum()
}

fn produce_until(
    client: &mut Client,
    topic: &'static str,
    n: usize,
    records: &Bytes,
    until: Instant,
) -> f64 {
    let partition = i32::try_from(n % 3).unwrap();
    let mut sent = 0.0;
    while clock() < until {
        client.send(9, &produce_request(topic, partition, -1, records.clone()));
        let response = client.receive::<ProduceRequest>(9);
        assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
        sent += records.len() as f64;
    }
    sent
}

#[track_caller]
fn holds(what: &str, bytes: f64, per_second: f64) {
    // A quarter of a second's worth may be spent ahead, and the last request of each connection.
    let seconds = seconds() as f64;
    let ratio = bytes / (per_second * seconds);
    let slack = 0.1 * 10.0 / seconds;
    assert!((1.0 - slack..=1.0 + slack).contains(&ratio), "{what}: {ratio} of the quota");
}

#[test]
fn producers_keep_to_their_quota() {
    for shards in [1, 3] {
        let node = TestNode::start(shards, &[]);
        let mut client = node.connect();
        client.create("t", 3, &[]);
        set(&mut client, None, Some("*"), "producer_byte_rate", Some(1e6));
        holds("one connection", produce_for(&node, "t", 1, 20_000), 1e6);
        holds("six connections", produce_for(&node, "t", 6, 20_000), 1e6);
        set(&mut client, None, Some("*"), "producer_byte_rate", None);
        assert!(produce_for(&node, "t", 2, 20_000) > 2e6 * seconds() as f64);
    }
}

#[test]
fn consumers_keep_to_their_quota() {
    for shards in [1, 3] {
        let node = TestNode::start(shards, &[]);
        let mut client = node.connect();
        let id = client.create("t", 1, &[]);
        let value = "x".repeat(10_000);
        for _ in 0..1000 {
            client.produce("t", 0, 1, batch(&[&value]));
        }
        set(&mut client, Some("ANONYMOUS"), None, "consumer_byte_rate", Some(1e6));
        let until = clock() + Duration::from_secs(seconds());
        let (mut bytes, mut throttled, mut from) = (0.0, 0, 0);
        while clock() < until {
            client.send(18, &fetch_request(id, 0, from, 100));
            let mut response = client.receive::<FetchRequest>(18);
            if response.throttle_time_ms > 0 {
                throttled += 1;
            }
            // A client that is throttled is given nothing.
            if let Some(mut topic) = response.responses.pop() {
                let data = topic.partitions.remove(0);
                let records = flat(data.records);
                bytes += records.len() as f64;
                from += i64::try_from(records.len() / value.len()).unwrap();
            }
            from %= 900;
        }
        holds("a consumer", bytes, 1e6);
        assert!(throttled > 0);
    }
}

#[test]
fn a_request_quota_limits_any_request() {
    let node = TestNode::start(1, &[]);
    let mut admin = node.connect();
    admin.create("t", 3, &[]);
    let count = || {
        let mut client = node.connect();
        let until = clock() + Duration::from_secs(2);
        let mut count = 0;
        while clock() < until {
            client.call(4, &net::wire::metadata::MetadataRequest::default());
            count += 1;
        }
        count
    };
    let free = count();
    set(&mut admin, Some("*"), None, "request_percentage", Some(0.1));
    let limited = count();
    assert!(limited * 2 < free, "{free} requests without, {limited} with a quota");
    // What is said is what is done.
    let mut client = node.connect();
    let told = client.call(4, &net::wire::metadata::MetadataRequest::default()).throttle_time_ms;
    assert!(told > 0);
    let before = clock();
    client.call(4, &net::wire::metadata::MetadataRequest::default());
    let waited = before.elapsed().as_millis();
    assert!(waited + 20 >= u128::from(told.unsigned_abs()), "{told} ms were told, {waited} waited");
}

#[test]
fn quotas_stay_after_a_restart() {
    let mut node = TestNode::start(1, &[]);
    let mut client = node.connect();
    set(&mut client, Some("u"), Some("c"), "producer_byte_rate", Some(1e6));
    set(&mut client, Some("u"), Some("c"), "request_percentage", Some(12.5));
    set(&mut client, Some("*"), None, "consumer_byte_rate", Some(2e6));
    for restart in [false, true] {
        if restart {
            drop(client);
            node.restart(1);
            client = node.connect();
        }
        let of_users = ComponentData { entity_type: "user".into(), match_type: 2, r#match: None };
        let ask =
            |strict| DescribeClientQuotasRequest { components: vec![of_users.clone()], strict };
        let all = client.call(1, &ask(false)).entries.unwrap();
        assert_eq!(all.len(), 2);
        let strict = client.call(1, &ask(true)).entries.unwrap();
        assert_eq!(strict.len(), 1);
        assert_eq!(strict[0].entity[0].entity_name, None);
        assert_eq!(
            (&*strict[0].values[0].key, strict[0].values[0].value),
            ("consumer_byte_rate", 2e6)
        );
    }
}
