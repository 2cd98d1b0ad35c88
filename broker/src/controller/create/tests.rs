//! The refusals are what Kafka 4.3.1 answered to the same requests.

use net::wire::create_topics::{CreatableReplicaAssignment, CreatableTopicConfig};
use replication::controller::assignment::AssignmentError;

use super::*;
use crate::config::{Invocation, load};
use crate::metadata::records::RegisterBrokerRecord;

fn config() -> Config {
    let overrides = vec![("num.partitions".to_owned(), "2".to_owned())];
    load(&Invocation { file: None, overrides }).unwrap().config
}

const DIRECTORY: Uuid = Uuid::from_u128(0x700);

/// Broker 1 serves, broker 3 is fenced.
pub(in crate::controller) fn image_of_brokers() -> Image {
    let mut image = Image::empty();
    for (id, fenced) in [(1, false), (3, true)] {
        let broker = RegisterBrokerRecord {
            broker_id: id,
            fenced,
            log_dirs: vec![DIRECTORY],
            ..RegisterBrokerRecord::default()
        };
        image.apply(&broker.into()).unwrap();
    }
    image
}

fn image(topics: &[&str]) -> Image {
    let mut image = image_of_brokers();
    let asked: Vec<CreatableTopic> = topics.iter().map(|name| topic(name)).collect();
    let (records, outcomes) = plan(&image, &config(), &mut Dice::seeded(7), &asked);
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()), "{outcomes:?}");
    records.iter().for_each(|record| image.apply(record).unwrap());
    image
}

fn topic(name: &str) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    }
}

fn with_configs(name: &str, configs: &[(&str, Option<&str>)]) -> CreatableTopic {
    let set = |(name, value): &(&str, Option<&str>)| CreatableTopicConfig {
        name: (*name).into(),
        value: value.map(Into::into),
    };
    CreatableTopic { configs: configs.iter().map(set).collect(), ..topic(name) }
}

fn assigned(name: &str, partitions: i32, factor: i16, brokers: &[(i32, &[i32])]) -> CreatableTopic {
    let assign = |(index, ids): &(i32, &[i32])| CreatableReplicaAssignment {
        partition_index: *index,
        broker_ids: ids.to_vec(),
    };
    CreatableTopic {
        num_partitions: partitions,
        replication_factor: factor,
        assignments: brokers.iter().map(assign).collect(),
        ..topic(name)
    }
}

/// What was answered, by name.
fn outcomes(image: &Image, topics: &[CreatableTopic]) -> Vec<(String, Option<String>)> {
    let (_, outcomes) = plan(image, &config(), &mut Dice::seeded(1), topics);
    let text = |(name, outcome): (ByteString, Result<CreatedTopic, TopicRefusal>)| {
        (name.to_string(), outcome.err().map(|refusal| refusal.to_string()))
    };
    outcomes.into_iter().map(text).collect()
}

fn check(image: &Image, topic: CreatableTopic, expected: Option<&str>) {
    let outcome = outcomes(image, std::slice::from_ref(&topic)).remove(0);
    assert_eq!(outcome.1.as_deref(), expected, "{topic:?}");
}

#[test]
fn a_topic_becomes_topic_configs_and_partitions() {
    let image = image(&[]);
    let asked = [CreatableTopic {
        num_partitions: -1,
        replication_factor: -1,
        ..with_configs("t", &[("retention.ms", Some("1000"))])
    }];
    let (records, outcomes) = plan(&image, &config(), &mut Dice::seeded(1), &asked);
    let created = outcomes[0].1.as_ref().unwrap();
    assert_eq!((created.partitions, created.replication_factor), (2, 1));
    let names: Vec<_> = records.iter().map(Record::name).collect();
    assert_eq!(names, ["Topic", "Config", "Partition", "Partition"]);
    let Record::Partition(second) = &records[3] else { panic!("{records:?}") };
    assert_eq!((second.partition_id, second.leader, second.leader_epoch), (1, 1, 0));
    assert_eq!((&second.replicas[..], &second.isr[..]), (&[1][..], &[1][..]));
    assert_eq!(second.directories, [DIRECTORY]);
    assert_eq!(second.topic_id, created.id.0);
}

#[test]
fn bad_numbers_names_and_configs_are_refused() {
    let image = image(&["auto.2"]);
    let check = |topic, expected| check(&image, topic, Some(expected));
    let sized = |partitions, factor| CreatableTopic {
        num_partitions: partitions,
        replication_factor: factor,
        ..topic("a")
    };
    check(sized(0, 1), "Number of partitions was set to an invalid non-positive value.");
    check(sized(-2, 1), "Number of partitions was set to an invalid non-positive value.");
    check(sized(1, 0), "Replication factor must be larger than 0, or -1 to use the default value.");
    check(
        sized(0, -2),
        "Replication factor must be larger than 0, or -1 to use the default value.",
    );
    check(
        sized(1, 3),
        "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because only 2 broker(s) are registered or some brokers have all their log directories cordoned.",
    );
    check(
        topic("e e"),
        "Topic name is invalid: 'e e' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
    );
    check(topic(""), "Topic name is invalid: the empty string is not allowed");
    check(topic("auto.2"), "Topic 'auto.2' already exists.");
    check(topic("auto_2"), "Topic 'auto_2' collides with existing topic: auto.2");
    check(
        topic("__cluster_metadata"),
        "Creation of internal topic __cluster_metadata is prohibited.",
    );
    check(
        with_configs("n", &[("retention.ms", None)]),
        "Null value not supported for topic configs: retention.ms",
    );
    check(with_configs("u", &[("nonsense", Some("1"))]), "Unknown topic config name: nonsense");
    check(
        with_configs("v", &[("retention.ms", Some("x"))]),
        "Invalid value x for configuration retention.ms: Not a number of type LONG",
    );
    let long = "1".repeat(CONFIG_VALUE_MAX + 1);
    check(
        with_configs("l", &[("retention.ms", Some(&long))]),
        "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.",
    );
}

#[test]
fn names_of_one_request_do_not_collide_with_each_other() {
    let both = [topic("x.y"), topic("x_y")];
    assert_eq!(outcomes(&image(&[]), &both), [("x.y".into(), None), ("x_y".into(), None)]);
}

#[test]
fn assignments_are_checked_as_kafka_does() {
    let image = image(&[]);
    let check = |topic, expected| check(&image, topic, expected);
    check(assigned("a", -1, -1, &[(0, &[1])]), None);
    check(assigned("b", -1, -1, &[(0, &[1, 3]), (1, &[3, 1])]), None);
    check(
        assigned("c", 1, -1, &[(0, &[1])]),
        Some("A manual partition assignment was specified, but numPartitions was not set to -1."),
    );
    check(
        assigned("d", -1, 1, &[(0, &[1])]),
        Some(
            "A manual partition assignment was specified, but replication factor was not set to -1.",
        ),
    );
    check(
        assigned("e", -1, -1, &[(0, &[2])]),
        Some(
            "The manual partition assignment includes broker 2, but no such broker is registered.",
        ),
    );
    check(
        assigned("f", -1, -1, &[(0, &[1, 1])]),
        Some("The manual partition assignment includes the broker 1 more than once."),
    );
    check(
        assigned("g", -1, -1, &[(1, &[1])]),
        Some("partitions should be a consecutive 0-based integer sequence"),
    );
    check(
        assigned("h", -1, -1, &[(0, &[])]),
        Some("The manual partition assignment includes an empty replica list."),
    );
    let fenced =
        plan(&image, &config(), &mut Dice::seeded(1), &[assigned("i", -1, -1, &[(0, &[3])])]);
    assert_eq!(fenced.1[0].1, Err(TopicRefusal::Assignment(AssignmentError::AllFenced(0))));
}

#[test]
fn duplicates_and_the_metadata_log_come_last() {
    let asked =
        [topic("dup"), topic("__cluster_metadata"), topic("good"), topic("dup"), topic("dup")];
    let image = image(&[]);
    let expected = [
        ("good".to_owned(), None),
        ("dup".to_owned(), Some("Duplicate topic name.".to_owned())),
        (
            "__cluster_metadata".to_owned(),
            Some("Creation of internal topic __cluster_metadata is prohibited.".to_owned()),
        ),
    ];
    assert_eq!(outcomes(&image, &asked), expected);
}

#[test]
fn one_request_makes_ten_thousand_records_at_most() {
    let image = image(&[]);
    let sized = |name, partitions| CreatableTopic { num_partitions: partitions, ..topic(name) };
    check(&image, sized("a", 10_001), Some("Excessively large number of partitions per request."));
    check(&image, sized("b", 10_000), Some("Unable to perform excessively large batch operation."));
    check(&image, sized("c", 9_999), None);
    let both = outcomes(&image, &[sized("d", 6_000), sized("e", 6_000)]);
    assert!(both.iter().all(|(_, refusal)| refusal.as_deref()
        == Some("Excessively large number of partitions per request.")));
}
