use super::*;
use crate::metadata::records::*;
use uuid::Uuid;

pub(crate) fn topic(id: u128, name: &str, partitions: i32) -> Vec<Record> {
    let topic_id = Uuid::from_u128(id);
    let mut records = vec![TopicRecord { name: name.into(), topic_id }.into()];
    records.extend((0..partitions).map(|partition_id| {
        PartitionRecord {
            partition_id,
            topic_id,
            replicas: vec![1],
            isr: vec![1],
            leader: 1,
            leader_epoch: 0,
            partition_epoch: 0,
            directories: vec![UNASSIGNED_DIRECTORY],
            ..PartitionRecord::default()
        }
        .into()
    }));
    records
}

fn broker(id: i32, epoch: i64) -> Record {
    RegisterBrokerRecord {
        broker_id: id,
        broker_epoch: epoch,
        incarnation_id: Uuid::from_u128(9),
        end_points: vec![BrokerEndpoint {
            name: "PLAINTEXT".into(),
            host: "127.0.0.1".into(),
            port: 9092,
            security_protocol: 0,
        }],
        log_dirs: vec![Uuid::from_u128(77)],
        fenced: true,
        ..RegisterBrokerRecord::default()
    }
    .into()
}

fn config(topic: &str, name: &str, value: Option<&str>) -> Record {
    ConfigRecord {
        resource_type: ConfigResource::TOPIC,
        resource_name: topic.into(),
        name: name.into(),
        value: value.map(Into::into),
    }
    .into()
}

pub(crate) fn replayed(records: impl IntoIterator<Item = Record>) -> Image {
    let mut image = Image::empty();
    for record in records {
        image.apply(&record).unwrap_or_else(|error| panic!("{record:?}: {error}"));
    }
    image
}

/// Something of everything that an image holds.
pub(crate) fn everything() -> Image {
    let mut records: Vec<Record> = vec![
        FeatureLevelRecord { name: "group.version".into(), feature_level: 1 }.into(),
        FeatureLevelRecord { name: METADATA_VERSION.into(), feature_level: 30 }.into(),
        broker(1, 5),
        BrokerRegistrationChangeRecord::unfence(1, 5).into(),
        RegisterControllerRecord { controller_id: 1, ..RegisterControllerRecord::default() }.into(),
    ];
    records.extend(topic(1, "a", 3));
    records.extend(topic(2, "b", 1));
    records.extend([
        config("a", "retention.ms", Some("5")),
        config("a", "segment.ms", Some("6")),
        config("b", "retention.ms", Some("7")),
        ProducerIdsRecord { broker_id: 1, broker_epoch: 5, next_producer_id: 3000 }.into(),
        AccessControlEntryRecord { id: Uuid::from_u128(4), ..AccessControlEntryRecord::default() }
            .into(),
        UserScramCredentialRecord { name: "u".into(), ..UserScramCredentialRecord::default() }
            .into(),
        DelegationTokenRecord { token_id: "t".into(), ..DelegationTokenRecord::default() }.into(),
        ClientQuotaRecord {
            key: "producer_byte_rate".into(),
            value: 7.0,
            ..ClientQuotaRecord::default()
        }
        .into(),
    ]);
    replayed(records)
}

#[test]
fn what_was_applied_can_be_asked() {
    let image = everything();
    let a = image.topic_by_name("a").unwrap();
    assert_eq!((a.name.as_ref(), a.partitions.len()), ("a", 3));
    assert_eq!(image.partition(a.id, 2).unwrap().leader, 1);
    assert!(image.partition(a.id, 3).is_none() && image.partition(a.id, -1).is_none());
    assert_eq!(image.partition_count(), 4);
    assert_eq!(image.topics().map(|t| t.name.to_string()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(image.topic_overrides(&"a".into()).unwrap().len(), 2);
    assert_eq!(image.controller_id(), Some(1));
    assert_eq!(image.feature(METADATA_VERSION), 30);
    assert_eq!(image.feature("transaction.version"), 0);
    assert_eq!(image.next_producer_id(), 3000);
    assert_eq!(image.broker(1).unwrap().endpoint("PLAINTEXT").unwrap().port, 9092);
}

#[test]
fn an_images_records_make_it_again() {
    let image = everything();
    let records: Vec<Record> = image.records().collect();
    assert!(matches!(&records[0], Record::FeatureLevel(f) if f.name == METADATA_VERSION));
    assert_eq!(replayed(records), image);
}

#[test]
fn a_change_keeps_what_it_does_not_name() {
    let mut image = replayed(topic(1, "a", 1));
    let id = TopicId(Uuid::from_u128(1));
    let directory = Uuid::from_u128(500);
    let change = PartitionChangeRecord {
        directories: Some(vec![directory]),
        ..PartitionChangeRecord::of(id, 0)
    };
    image.apply(&change.into()).unwrap();
    let partition = image.partition(id, 0).unwrap();
    assert_eq!(partition.directory(1), Some(directory));
    assert_eq!((partition.leader_epoch, partition.partition_epoch), (Epoch(0), 1));
    let change = PartitionChangeRecord { leader: 1, ..PartitionChangeRecord::of(id, 0) };
    image.apply(&change.into()).unwrap();
    let partition = image.partition(id, 0).unwrap();
    assert_eq!((partition.leader_epoch, partition.partition_epoch), (Epoch(1), 2));
    assert_eq!(partition.isr, [1]);
}

#[test]
fn a_removed_topic_takes_its_configs_along() {
    let mut image = everything();
    image.apply(&RemoveTopicRecord { topic_id: Uuid::from_u128(1) }.into()).unwrap();
    assert!(image.topic_by_name("a").is_none());
    assert!(image.topic_overrides(&"a".into()).is_none());
    assert!(image.topic_overrides(&"b".into()).is_some());
    assert_eq!(image.partition_count(), 1);
}

#[test]
fn records_that_cannot_follow_are_refused_and_change_nothing() {
    let image = everything();
    let check = |record: Record, expected: &str| {
        let mut next = image.clone();
        assert_eq!(next.apply(&record).unwrap_err().to_string(), expected);
        assert_eq!(next, image);
    };
    let nil = Uuid::nil();
    check(
        RemoveTopicRecord { topic_id: nil }.into(),
        &format!("RemoveTopic names topic {nil}, which does not exist"),
    );
    check(topic(1, "z", 0).remove(0), "Topic creates topic z, which exists");
    check(topic(9, "a", 0).remove(0), "Topic creates topic a, which exists");
    let gap = PartitionRecord {
        partition_id: 2,
        topic_id: Uuid::from_u128(2),
        ..PartitionRecord::default()
    };
    check(
        gap.into(),
        &format!("Partition names partition 2 of topic {}, where 1 are known", Uuid::from_u128(2)),
    );
    check(
        BrokerRegistrationChangeRecord::fence(1, 4).into(),
        "BrokerRegistrationChange names broker 1 with epoch 4, which is not registered so",
    );
}

#[test]
fn a_delta_says_what_changed_and_nothing_else() {
    let old = everything();
    assert!(Delta::between(&old, &old.clone()).is_empty());
    let mut new = old.clone();
    let a = TopicId(Uuid::from_u128(1));
    for record in topic(3, "c", 2) {
        new.apply(&record).unwrap();
    }
    new.apply(&RemoveTopicRecord { topic_id: Uuid::from_u128(2) }.into()).unwrap();
    new.apply(&PartitionChangeRecord { leader: 1, ..PartitionChangeRecord::of(a, 1) }.into())
        .unwrap();
    new.apply(&config("a", "retention.ms", None)).unwrap();
    let delta = Delta::between(&old, &new);
    let names =
        |topics: &[Arc<Topic>]| topics.iter().map(|t| t.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&delta.created), ["c"]);
    assert_eq!(names(&delta.deleted), ["b"]);
    assert_eq!(delta.partitions, [(a, 1)]);
    assert_eq!(delta.configs, [ConfigResource::topic("a"), ConfigResource::topic("b")]);
    assert!(!delta.brokers && !delta.features);
}

#[test]
fn transactions_count_together_or_not_at_all() {
    let begin = || Record::from(BeginTransactionRecord { name: None });
    let end = || Record::from(EndTransactionRecord {});
    let abort = || Record::from(AbortTransactionRecord { reason: None });
    let check = |records: Vec<Record>, topics: &[&str], open: bool| {
        let mut replay = Replay::new(Image::empty());
        for (offset, record) in (0..).zip(&records) {
            let position = Position { offset: Offset(offset), epoch: Epoch(1), timestamp_ms: 5 };
            replay.apply(record, position).unwrap();
        }
        let names: Vec<String> = replay.image().topics().map(|t| t.name.to_string()).collect();
        assert_eq!(names, topics);
        assert_eq!(replay.in_transaction(), open);
    };
    let t = |n: u128, name: &str| topic(n, name, 1);
    check([t(1, "a"), vec![begin()], t(2, "b"), vec![end()]].concat(), &["a", "b"], false);
    check([t(1, "a"), vec![begin()], t(2, "b")].concat(), &["a"], true);
    check(
        [t(1, "a"), vec![begin()], t(2, "b"), vec![abort()], t(3, "c")].concat(),
        &["a", "c"],
        false,
    );
    let mut replay = Replay::new(Image::empty());
    assert_eq!(replay.apply(&end(), Position::START), Err(ReplayError::NotBegun));
    replay.apply(&begin(), Position::START).unwrap();
    assert_eq!(replay.apply(&begin(), Position::START), Err(ReplayError::Nested));
}

/// A change among many partitions shares nearly all of the image with the one before: it is made in microseconds.
#[test]
fn an_image_of_many_partitions_is_cheap_to_change() {
    let mut image = replayed((0..200).flat_map(|n| topic(n + 1, &format!("topic-{n}"), 50)));
    assert_eq!(image.partition_count(), 10_000);
    for n in 0..1000 {
        let old = image.clone();
        let id = TopicId(Uuid::from_u128(u128::from(n % 200u32) + 1));
        image
            .apply(&PartitionChangeRecord { leader: 1, ..PartitionChangeRecord::of(id, 3) }.into())
            .unwrap();
        let delta = Delta::between(&old, &image);
        assert_eq!(delta.partitions, [(id, 3)]);
        let shared =
            image.topics().filter(|t| old.topic(t.id).is_some_and(|o| Arc::ptr_eq(o, t))).count();
        assert_eq!(shared, 199);
    }
}
