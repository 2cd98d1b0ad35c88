//! The answers are what Kafka 4.3.1 gave to the same requests.

use super::*;
use crate::metadata::image::tests::{replayed, topic};
use crate::metadata::records::{BrokerEndpoint, Record, RegisterBrokerRecord};

const ID: Uuid = Uuid::from_u128(9);

fn broker(id: i32, listener: &str, fenced: bool) -> Record {
    let endpoint = BrokerEndpoint {
        name: listener.into(),
        host: "127.0.0.1".into(),
        port: 9092,
        security_protocol: 0,
    };
    RegisterBrokerRecord {
        broker_id: id,
        end_points: vec![endpoint],
        fenced,
        ..RegisterBrokerRecord::default()
    }
    .into()
}

/// Topics "a" (1, two partitions), "b.c" (2); broker 1 has the listener PLAINTEXT.
fn image() -> Image {
    replayed([vec![broker(1, "PLAINTEXT", false)], topic(1, "a", 2), topic(2, "b.c", 1)].concat())
}

fn named(name: &str) -> MetadataRequestTopic {
    MetadataRequestTopic { name: Some(name.into()), topic_id: Uuid::nil() }
}

fn ided(id: Uuid) -> MetadataRequestTopic {
    MetadataRequestTopic { name: None, topic_id: id }
}

fn ask(
    version: i16,
    topics: Option<Vec<MetadataRequestTopic>>,
) -> (MetadataResponse, Vec<ByteString>) {
    let image = image();
    let view = View { image: &image, listener: "PLAINTEXT", version, allowed: &|_| true };
    view.answer(&MetadataRequest { topics, ..MetadataRequest::default() })
}

fn codes(response: &MetadataResponse) -> Vec<(Option<&str>, i16)> {
    response.topics.iter().map(|t| (t.name.as_deref(), t.error_code.0)).collect()
}

#[test]
fn null_is_all_and_empty_is_none_but_for_version_0() {
    let check = |version, topics: Option<Vec<_>>, expected: &[&str]| {
        let (response, missing) = ask(version, topics);
        let names: Vec<_> = response.topics.iter().filter_map(|t| t.name.as_deref()).collect();
        assert_eq!((&names[..], missing.len()), (expected, 0));
        assert_eq!(response.brokers.len(), 1);
    };
    check(0, Some(vec![]), &["a", "b.c"]);
    check(1, Some(vec![]), &[]);
    check(13, Some(vec![]), &[]);
    check(1, None, &["a", "b.c"]);
    check(13, None, &["a", "b.c"]);
}

#[test]
fn a_topic_is_told_with_its_partitions() {
    let (response, _) = ask(13, Some(vec![named("a")]));
    assert_eq!(response.controller_id, 1);
    let topic = &response.topics[0];
    assert_eq!((topic.topic_id, topic.is_internal), (Uuid::from_u128(1), false));
    assert_eq!(topic.topic_authorized_operations, i32::MIN);
    let expected = MetadataResponsePartition {
        partition_index: 1,
        leader_id: 1,
        leader_epoch: 0,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..MetadataResponsePartition::default()
    };
    assert_eq!(topic.partitions[1], expected);
}

#[test]
fn unknown_and_illegal_names_are_refused_after_the_known() {
    let asked = ["bad name", "nope", "a", "", "nope", "__consumer_offsets"].map(named).to_vec();
    let (response, missing) = ask(13, Some(asked));
    assert_eq!(
        codes(&response),
        [
            (Some("a"), 0),
            (Some("bad name"), 17),
            (Some("nope"), 3),
            (Some(""), 17),
            (Some("__consumer_offsets"), 3)
        ]
    );
    assert_eq!(missing, [ByteString::from("nope")]);
    assert!(response.topics[4].is_internal);
}

#[test]
fn an_id_among_the_topics_makes_names_not_count() {
    let known = Uuid::from_u128(2);
    let (response, missing) =
        ask(13, Some(vec![named("nope"), ided(known), ided(ID), ided(known)]));
    assert_eq!(codes(&response), [(None, 100), (Some("b.c"), 0)]);
    assert_eq!(response.topics[0].topic_id, ID);
    assert!(missing.is_empty());
}

#[test]
fn what_cannot_be_asked_fails_as_a_whole() {
    let check = |version, topic: MetadataRequestTopic, code: i16, name: &str| {
        let (response, _) = ask(version, Some(vec![topic]));
        assert_eq!(codes(&response), [(Some(name), code)]);
        assert_eq!(response.error_code.0, code);
        assert_eq!((response.brokers.len(), response.controller_id), (0, -1));
        assert_eq!(response.cluster_id, None);
    };
    check(11, ided(ID), 42, "");
    check(11, MetadataRequestTopic { name: Some("x".into()), topic_id: ID }, 42, "x");
    check(10, ided(Uuid::nil()), 42, "");
    check(13, ided(Uuid::nil()), -1, "");
}

#[test]
fn operations_are_told_where_asked_for() {
    let image = image();
    let view = View { image: &image, listener: "PLAINTEXT", version: 10, allowed: &|_| true };
    let (response, _) = view.answer(&MetadataRequest {
        topics: Some(vec![named("a"), named("nope")]),
        include_cluster_authorized_operations: true,
        include_topic_authorized_operations: true,
        ..MetadataRequest::default()
    });
    assert_eq!(response.cluster_authorized_operations, 8096);
    let operations: Vec<_> =
        response.topics.iter().map(|t| t.topic_authorized_operations).collect();
    assert_eq!(operations, [3576, 3576]);
}

#[test]
fn brokers_that_a_client_cannot_reach_show() {
    let check = |version, listener: &str, fenced, expected: (i16, i32, usize, usize)| {
        let image = replayed([vec![broker(1, "OTHER", fenced)], topic(1, "a", 1)].concat());
        let view = View { image: &image, listener, version, allowed: &|_| true };
        let (response, _) =
            view.answer(&MetadataRequest { topics: None, ..MetadataRequest::default() });
        let p = &response.topics[0].partitions[0];
        let found = (p.error_code.0, p.leader_id, p.replica_nodes.len(), p.offline_replicas.len());
        assert_eq!(found, expected, "version {version}, listener {listener}, fenced {fenced}");
    };
    check(13, "OTHER", false, (0, 1, 1, 0));
    check(13, "PLAINTEXT", false, (72, -1, 1, 1));
    check(5, "PLAINTEXT", false, (5, -1, 1, 1));
    check(1, "OTHER", true, (0, 1, 1, 1));
}

#[test]
fn what_a_client_may_not_see_does_not_show() {
    let image = image();
    let answer = |topics| {
        let view = View {
            image: &image,
            listener: "PLAINTEXT",
            version: 13,
            allowed: &|name| name != "a",
        };
        view.answer(&MetadataRequest { topics, ..MetadataRequest::default() }).0
    };
    assert_eq!(codes(&answer(None)), [(Some("b.c"), 0)]);
    let denied = answer(Some(vec![named("a")]));
    assert_eq!(codes(&denied), [(Some("a"), 29)]);
    assert!(denied.topics[0].topic_id.is_nil());
    let denied = answer(Some(vec![ided(Uuid::from_u128(1))]));
    assert_eq!(codes(&denied), [(None, 29)]);
}

#[test]
fn a_topic_is_asked_for_once_at_a_time() {
    let names = |from: usize, to: usize| (from..to).map(|n| ByteString::from(format!("t{n}")));
    let asked = AskedTopics::default();
    assert_eq!(asked.begin(names(0, 2)).len(), 2);
    assert_eq!(asked.begin(names(1, 3)), ["t2"]);
    asked.end(&["t0".into(), "t2".into()]);
    assert_eq!(asked.begin(names(0, 3)), ["t0", "t2"]);
    assert_eq!(asked.begin(names(0, 2 * ASKED_TOPICS_MAX)).len(), ASKED_TOPICS_MAX - 3);
}
