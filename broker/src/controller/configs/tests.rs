//! Changes of configs, as Kafka 4.3.1 answers the same requests.

use super::*;
use crate::config::{Invocation, load};
use crate::metadata::image::tests::topic;
use crate::metadata::records::FeatureLevelRecord;

fn config() -> Arc<Config> {
    Arc::new(load(&Invocation::default()).expect("defaults are right").config)
}

fn image() -> Image {
    let mut image = Image::empty();
    topic(1, "a", 1).iter().for_each(|record| image.apply(record).unwrap());
    image
}

fn some(resource: ConfigResource, operations: &[(&str, i8, Option<&str>)]) -> ConfigChange {
    let operation = |(key, kind, value): &(&str, i8, Option<&str>)| Operation {
        key: (*key).into(),
        kind: *kind,
        value: value.map(Into::into),
    };
    ConfigChange { resource, what: Change::Some(operations.iter().map(operation).collect()) }
}

fn all(resource: ConfigResource, pairs: &[(&str, &str)]) -> ConfigChange {
    ConfigChange { resource, what: Change::All(group::overrides(pairs.iter().copied())) }
}

/// Applies one change; what is set then, or why not.
fn apply(image: &mut Image, change: ConfigChange) -> Result<Vec<(String, String)>, String> {
    let config = config().under(image);
    let resource = change.resource.clone();
    let (records, mut outcomes) = plan(image, &config, &[change]);
    outcomes.remove(0).map_err(|why| why.to_string())?;
    records.iter().for_each(|record| image.apply(record).unwrap());
    let set = image.overrides(&resource).map(|set| (**set).clone()).unwrap_or_default();
    Ok(set.into_iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
}

fn pairs(pairs: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
    Ok(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
}

#[test]
fn keys_are_set_deleted_and_lists_grow_and_shrink() {
    let mut image = image();
    let a = || ConfigResource::topic("a");
    let mut check = |operations: &[(&str, i8, Option<&str>)], expected: &[(&str, &str)]| {
        assert_eq!(apply(&mut image, some(a(), operations)), pairs(expected), "{operations:?}");
    };
    check(&[("retention.ms", SET, Some("7"))], &[("retention.ms", "7")]);
    // A list begins with its default.
    check(
        &[("cleanup.policy", APPEND, Some("compact"))],
        &[("cleanup.policy", "delete,compact"), ("retention.ms", "7")],
    );
    check(
        &[("cleanup.policy", SUBTRACT, Some("delete")), ("retention.ms", DELETE, None)],
        &[("cleanup.policy", "compact")],
    );
    check(&[("cleanup.policy", APPEND, Some("compact"))], &[("cleanup.policy", "compact")]);
    check(&[("segment.ms", DELETE, None)], &[("cleanup.policy", "compact")]);
}

#[test]
fn all_replaces_what_there_was() {
    let mut image = image();
    let a = || ConfigResource::topic("a");
    apply(&mut image, all(a(), &[("retention.ms", "7"), ("segment.ms", "8")])).unwrap();
    let left = apply(&mut image, all(a(), &[("segment.ms", "9")]));
    assert_eq!(left, pairs(&[("segment.ms", "9")]));
    assert_eq!(apply(&mut image, all(a(), &[])), pairs(&[]));
}

#[test]
fn what_is_unchanged_is_not_written() {
    let mut image = image();
    let change = || some(ConfigResource::topic("a"), &[("retention.ms", SET, Some("7"))]);
    let config = config();
    assert_eq!(plan(&image, &config, &[change()]).0.len(), 1);
    apply(&mut image, change()).unwrap();
    assert_eq!(plan(&image, &config, &[change()]).0.len(), 0);
}

#[track_caller]
fn check_refused(resource: ConfigResource, key: &str, kind: i8, value: &str, expected: &str) {
    let mut image = image();
    let before = image.clone();
    let refused = apply(&mut image, some(resource, &[(key, kind, Some(value))]));
    assert_eq!(refused, Err(expected.to_owned()));
    assert_eq!(image, before);
}

#[test]
fn refusals_are_kafkas() {
    let topic = ConfigResource::topic;
    let broker = ConfigResource::broker;
    let long = "x".repeat(32_768);
    check_refused(
        topic("a"),
        "retention.ms",
        SET,
        "x",
        "Invalid value x for configuration retention.ms: Not a number of type LONG",
    );
    check_refused(topic("a"), "no.such", SET, "x", "Unknown topic config name: no.such");
    check_refused(
        topic("a"),
        "retention.ms",
        APPEND,
        "1",
        "Can't APPEND to key retention.ms because its type is not LIST.",
    );
    check_refused(topic("a"), "cleanup.policy", SET, &long, TOO_LONG);
    check_refused(topic("b"), "retention.ms", SET, "1", "The topic 'b' does not exist.");
    check_refused(topic(""), "retention.ms", SET, "1", "Default topic resources are not allowed.");
    check_refused(
        broker("x"),
        "log.retention.ms",
        SET,
        "1",
        "Node id must be an integer, but it is: x",
    );
    check_refused(
        broker("7"),
        "log.retention.ms",
        SET,
        "1",
        "Unexpected broker id, expected 1, but received 7",
    );
    check_refused(
        broker("1"),
        "log.retention.ms",
        APPEND,
        "1",
        "Config value append is not allowed for config key: log.retention.ms",
    );
    check_refused(broker(""), "no.such", SUBTRACT, "1", "Unknown config name: no.such");
    check_refused(broker(""), "log.retention.ms", 9, "1", "Unknown operations type 9");
    let group = ConfigResource { kind: ConfigResource::GROUP, name: "".into() };
    check_refused(
        group,
        "share.isolation.level",
        SET,
        "read_committed",
        "Default group resources are not allowed.",
    );
    let metrics = ConfigResource { kind: ConfigResource::CLIENT_METRICS, name: "".into() };
    check_refused(metrics, "interval.ms", SET, "1000", "Subscription name can't be empty");
}

#[test]
fn brokers_configs_are_in_force_by_their_rank() {
    let mut image = image();
    let start = config();
    let retention = |image: &Image| start.under(image).topic_defaults.retention_ms;
    assert_eq!(retention(&image), 604_800_000);
    let set = |value| [("log.retention.ms", SET, Some(value))];
    apply(&mut image, some(ConfigResource::broker(""), &set("1000"))).unwrap();
    assert_eq!(retention(&image), 1000);
    apply(&mut image, some(ConfigResource::broker("1"), &set("2000"))).unwrap();
    assert_eq!(retention(&image), 2000);
    let gone = [("log.retention.ms", DELETE, None)];
    apply(&mut image, some(ConfigResource::broker("1"), &gone)).unwrap();
    assert_eq!(retention(&image), 1000);
    let own = some(ConfigResource::topic("a"), &[("retention.ms", SET, Some("3000"))]);
    apply(&mut image, own).unwrap();
    let topic = image.topic_by_name("a").unwrap();
    assert_eq!(start.under(&image).topic_config(&image, topic).retention_ms, 3000);
}

#[test]
fn with_eligible_leader_replicas_min_isr_is_one_for_all() {
    let mut image = image();
    let elr = FeatureLevelRecord { name: ELR.into(), feature_level: 1 };
    image.apply(&elr.into()).unwrap();
    let set = [("min.insync.replicas", SET, Some("1"))];
    let refused = apply(&mut image, some(ConfigResource::broker("1"), &set)).unwrap_err();
    assert!(refused.starts_with("Broker-level min.insync.replicas"), "{refused}");
    apply(&mut image, some(ConfigResource::broker(""), &set)).unwrap();
    let gone = [("min.insync.replicas", DELETE, None)];
    let refused = apply(&mut image, some(ConfigResource::broker(""), &gone)).unwrap_err();
    assert!(refused.starts_with("Cluster-level min.insync.replicas"), "{refused}");
    let own = [some(ConfigResource::topic("a"), &[("min.insync.replicas", SET, Some("2"))])];
    let (records, _) = plan(&image, &config(), &own);
    assert!(matches!(&records[1], Record::ClearElr(clear) if clear.topic_name == "a"));
}
