use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

fn there_and_back(record: &Record) {
    let (key, value) = record.encode().unwrap();
    assert_eq!(&Record::decode(Some(&key), value.as_deref()).unwrap(), record);
}

#[test]
fn what_is_written_is_read_back() {
    let key = OffsetKey { group: "g".into(), topic: "t".into(), partition: 7 };
    let plain = OffsetValue {
        offset: 5,
        metadata: "m".into(),
        commit_timestamp: 9,
        topic_id: Uuid::from_u128(3),
        ..OffsetValue::default()
    };
    there_and_back(&Record::Offset(key.clone(), Some(plain.clone())));
    there_and_back(&Record::Offset(key.clone(), None));
    // Version 1 holds neither epoch nor id.
    let expiring = OffsetValue { expire_timestamp: 11, topic_id: Uuid::nil(), ..plain };
    there_and_back(&Record::Offset(key, Some(expiring)));
    let member = MemberValue {
        member_id: "m".into(),
        group_instance_id: Some("i".into()),
        subscription: Bytes::from_static(b"s"),
        ..MemberValue::default()
    };
    let group = GroupValue { generation: 3, members: vec![member], ..GroupValue::default() };
    there_and_back(&Record::Group("g".into(), Some(group)));
    there_and_back(&Record::Group("g".into(), None));
}

#[test]
fn bytes_are_kafkas() {
    let key = OffsetKey { group: "g".into(), topic: "to".into(), partition: 1 };
    let value = OffsetValue {
        offset: 2,
        metadata: "".into(),
        commit_timestamp: 3,
        ..OffsetValue::default()
    };
    let (key, value) = Record::Offset(key, Some(value)).encode().unwrap();
    assert_eq!(key.to_vec(), bytes("0001 0001 67 0002 746f 00000001"));
    assert_eq!(
        value.unwrap().to_vec(),
        bytes("0004 0000000000000002 ffffffff 01 0000000000000003 00")
    );
    let empty = GroupValue { current_state_timestamp: 1, ..GroupValue::default() };
    let (key, value) = Record::Group("g".into(), Some(empty)).encode().unwrap();
    assert_eq!(key.to_vec(), bytes("0002 0001 67"));
    assert_eq!(
        value.unwrap().to_vec(),
        bytes("0003 0000 00000000 ffff ffff 0000000000000001 00000000")
    );
}

#[test]
fn records_of_consumer_groups_are_read_back() {
    use super::consumer::*;
    let (member, topic_id) = (ByteString::from("m"), Uuid::from_u128(7));
    let metadata = MemberMetadataValue {
        subscribed_topic_names: vec!["t".into()],
        classic_member_metadata: ClassicMember(None),
        ..MemberMetadataValue::default()
    };
    let classic = ClassicMetadata {
        session_timeout_ms: 5,
        supported_protocols: vec![ClassicProtocol { name: "range".into(), ..Default::default() }],
    };
    let classic = MemberMetadataValue {
        classic_member_metadata: ClassicMember(Some(classic)),
        ..metadata.clone()
    };
    let partitions =
        TopicPartitions { topic_id, partitions: vec![1, 2], assignment_epochs: Some(vec![3, 4]) };
    let current = CurrentValue {
        member_epoch: 5,
        assigned_partitions: vec![partitions],
        ..CurrentValue::default()
    };
    let target =
        TargetValue { topic_partitions: vec![TopicPartition { topic_id, partitions: vec![1] }] };
    let regex = RegexValue { topics: vec!["t".into()], version: 1, timestamp: 2 };
    for record in [
        ConsumerRecord::Epoch(Some(EpochValue { epoch: 3, metadata_hash: -4 })),
        ConsumerRecord::Epoch(None),
        ConsumerRecord::Topics { live: false },
        ConsumerRecord::Member(member.clone(), Some(metadata)),
        ConsumerRecord::Member(member.clone(), Some(classic)),
        ConsumerRecord::Member(member.clone(), None),
        ConsumerRecord::TargetEpoch(Some(TargetEpochValue {
            assignment_epoch: 3,
            assignment_timestamp: 9,
        })),
        ConsumerRecord::TargetEpoch(None),
        ConsumerRecord::Target(member.clone(), Some(target)),
        ConsumerRecord::Target(member.clone(), None),
        ConsumerRecord::Current(member.clone(), Some(current)),
        ConsumerRecord::Current(member, None),
        ConsumerRecord::Regex("t.*".into(), Some(regex)),
        ConsumerRecord::Regex("t.*".into(), None),
    ] {
        there_and_back(&Record::Consumer("g".into(), record));
    }
}

#[test]
fn records_of_share_groups_there_and_back() {
    use super::share::{
        ShareCurrentValue, ShareEpochValue, ShareMemberValue, StatesValue, TopicInfo,
        TopicPartitions, TopicPartitionsInfo,
    };
    let (topic_id, member) = (uuid::Uuid::from_u128(7), ByteString::from_static("m"));
    let metadata = ShareMemberValue {
        rack_id: Some("r".into()),
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        subscribed_topic_names: vec!["t".into()],
    };
    let current = ShareCurrentValue {
        member_epoch: 5,
        previous_member_epoch: 4,
        state: 0,
        assigned_partitions: vec![TopicPartitions { topic_id, partitions: vec![0, 2] }],
    };
    let topics = || {
        let topic_name = "t".into();
        vec![TopicPartitionsInfo { topic_id, topic_name, partitions: vec![1] }]
    };
    let states = StatesValue {
        initializing_topics: topics(),
        initialized_topics: topics(),
        deleting_topics: vec![TopicInfo { topic_id, topic_name: "t".into() }],
    };
    let target = super::consumer::TargetValue { topic_partitions: Vec::new() };
    let target_epoch =
        super::consumer::TargetEpochValue { assignment_epoch: 3, assignment_timestamp: 9 };
    for record in [
        ShareRecord::Member(member.clone(), Some(metadata)),
        ShareRecord::Member(member.clone(), None),
        ShareRecord::Epoch(Some(ShareEpochValue { epoch: 3, metadata_hash: -4 })),
        ShareRecord::Epoch(None),
        ShareRecord::TargetEpoch(Some(target_epoch)),
        ShareRecord::TargetEpoch(None),
        ShareRecord::Target(member.clone(), Some(target)),
        ShareRecord::Target(member.clone(), None),
        ShareRecord::Current(member.clone(), Some(current)),
        ShareRecord::Current(member, None),
        ShareRecord::States(Some(states)),
        ShareRecord::States(None),
    ] {
        there_and_back(&Record::Share("g".into(), record));
    }
}

#[test]
fn other_protocols_are_known_by_their_group() {
    // StreamsGroupMemberMetadataKey: group, member.
    let key = bytes("0013 0001 67 0001 6d");
    let record = Record::decode(Some(&key), Some(&bytes("0000 00"))).unwrap();
    let Record::Other { group, live: true, key: kept } = &record else { panic!("{record:?}") };
    assert_eq!((&**group, kept.to_vec()), ("g", key.clone()));
    let (tombstone, value) = record.encode().unwrap();
    assert_eq!((tombstone.to_vec(), value), (key, None));
    let streams = Record::decode(Some(&bytes("0011 0001 67")), None).unwrap();
    assert!(matches!(streams, Record::Other { live: false, .. }));
    assert_eq!(Record::decode(Some(&bytes("00ff 1234")), None).unwrap(), Record::Unknown(255));
}

#[test]
fn what_is_no_record_is_refused() {
    let check = |key: Option<&str>, value: Option<&str>| {
        let (key, value) = (key.map(bytes), value.map(bytes));
        Record::decode(key.as_deref(), value.as_deref()).unwrap_err()
    };
    assert_eq!(check(None, None), RecordError::NoKey);
    assert_eq!(check(Some("00"), None), RecordError::Cut);
    assert_eq!(check(Some("0002 0001 67"), Some("0005")), RecordError::Version(5));
    assert_eq!(
        check(Some("0000 0001 67 0001 74 00000000"), Some("0001 00")),
        RecordError::Version(1)
    );
    assert!(matches!(check(Some("0002 0009 67"), None), RecordError::Body(_)));
    assert!(matches!(check(Some("0002 0001 67"), Some("0003 00")), RecordError::Body(_)));
}
