//! Records of the cluster metadata log, of `__consumer_offsets` and of `__share_group_state` that Kafka's own classes have written decode here, mean the same field
//! by field, and encode to the same bytes: every record, every version.
//!
//! Needs a JDK and Kafka's jars, so it is run by `scripts/codec/check`; SEED and COUNT may be set.

#[path = "../../net/tests/kafka_schema/tree.rs"]
mod tree;

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

use broker::group::records as of_groups;
use broker::metadata::records;
use broker::share::state::records as of_share_state;
use bytes::Bytes;
use serde_json::Value;

/// Checks the bytes of a record's value; `None`: it is not read here.
type Check = fn(&str, Bytes, i16, &Value) -> Option<Result<(), String>>;

macro_rules! checks {
    ($of:ident: $($name:ident = $type:ty;)*) => {
        fn $of(name: &str, bytes: Bytes, version: i16, json: &Value) -> Option<Result<(), String>> {
            match name {
                $(stringify!($name) => Some(tree::check::<$type>(bytes, version, json)),)*
                _ => None,
            }
        }
    };
}

checks! { metadata:
    RegisterBrokerRecord = records::RegisterBrokerRecord;
    UnregisterBrokerRecord = records::UnregisterBrokerRecord;
    TopicRecord = records::TopicRecord;
    PartitionRecord = records::PartitionRecord;
    ConfigRecord = records::ConfigRecord;
    PartitionChangeRecord = records::PartitionChangeRecord;
    FenceBrokerRecord = records::FenceBrokerRecord;
    UnfenceBrokerRecord = records::UnfenceBrokerRecord;
    RemoveTopicRecord = records::RemoveTopicRecord;
    DelegationTokenRecord = records::DelegationTokenRecord;
    UserScramCredentialRecord = records::UserScramCredentialRecord;
    FeatureLevelRecord = records::FeatureLevelRecord;
    ClientQuotaRecord = records::ClientQuotaRecord;
    ProducerIdsRecord = records::ProducerIdsRecord;
    BrokerRegistrationChangeRecord = records::BrokerRegistrationChangeRecord;
    AccessControlEntryRecord = records::AccessControlEntryRecord;
    RemoveAccessControlEntryRecord = records::RemoveAccessControlEntryRecord;
    NoOpRecord = records::NoOpRecord;
    ZkMigrationStateRecord = records::ZkMigrationStateRecord;
    RemoveUserScramCredentialRecord = records::RemoveUserScramCredentialRecord;
    BeginTransactionRecord = records::BeginTransactionRecord;
    EndTransactionRecord = records::EndTransactionRecord;
    AbortTransactionRecord = records::AbortTransactionRecord;
    RemoveDelegationTokenRecord = records::RemoveDelegationTokenRecord;
    RegisterControllerRecord = records::RegisterControllerRecord;
    ClearElrRecord = records::ClearElrRecord;
}

checks! { groups:
    LegacyOffsetCommitValue = of_groups::OffsetValue;
    OffsetCommitValue = of_groups::OffsetValue;
    GroupMetadataValue = of_groups::GroupValue;
    ConsumerGroupMetadataValue = of_groups::consumer::EpochValue;
    ConsumerGroupMemberMetadataValue = of_groups::consumer::MemberMetadataValue;
    ConsumerGroupTargetAssignmentMetadataValue = of_groups::consumer::TargetEpochValue;
    ConsumerGroupTargetAssignmentMemberValue = of_groups::consumer::TargetValue;
    ConsumerGroupCurrentMemberAssignmentValue = of_groups::consumer::CurrentValue;
    ConsumerGroupRegularExpressionValue = of_groups::consumer::RegexValue;
    ShareGroupMemberMetadataValue = of_groups::share::ShareMemberValue;
    ShareGroupMetadataValue = of_groups::share::ShareEpochValue;
    ShareGroupTargetAssignmentMetadataValue = of_groups::consumer::TargetEpochValue;
    ShareGroupTargetAssignmentMemberValue = of_groups::consumer::TargetValue;
    ShareGroupCurrentMemberAssignmentValue = of_groups::share::ShareCurrentValue;
    ShareGroupStatePartitionMetadataValue = of_groups::share::StatesValue;
}

checks! { share_state:
    ShareSnapshotValue = of_share_state::SnapshotValue;
    ShareUpdateValue = of_share_state::UpdateValue;
}

/// Records of groups that are known by their key only: old topics of consumer groups, streams groups.
fn is_unread(name: &str) -> bool {
    name == "ConsumerGroupPartitionMetadataValue" || name.starts_with("StreamsGroup")
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[test]
#[ignore = "needs a JDK and Kafka's jars: scripts/codec/check runs it"]
fn records_of_kafkas_own_classes() {
    check("metadata", metadata, |_| false);
}

#[test]
#[ignore = "needs a JDK and Kafka's jars: scripts/codec/check runs it"]
fn records_of_groups_of_kafkas_own_classes() {
    check("groups", groups, is_unread);
}

#[test]
#[ignore = "needs a JDK and Kafka's jars: scripts/codec/check runs it"]
fn records_of_share_state_of_kafkas_own_classes() {
    check("share-state", share_state, |_| false);
}

#[expect(clippy::print_stdout, reason = "the counts are the report")]
fn check(kind: &str, check: Check, is_unread: fn(&str) -> bool) {
    let (seed, count) = (variable("SEED", "1"), variable("COUNT", "40"));
    let libs = std::env::var("KAFKA_LIBS").expect("KAFKA_LIBS is the directory of Kafka's jars");
    let output = Command::new("java")
        .args(["-cp", &format!("{libs}/*")])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/codec/Generate.java"))
        .args([&seed, &count, kind])
        .stderr(Stdio::inherit())
        .output()
        .expect("java starts");
    assert!(output.status.success());
    println!("seed {seed}, {count} records for each version");

    let mut counts = BTreeMap::<(String, String), usize>::new();
    for line in String::from_utf8(output.stdout).expect("UTF-8").lines() {
        let columns: Vec<&str> = line.splitn(6, '\t').collect();
        let [_, version, name, seed, bytes, json] = columns[..] else {
            panic!("not a record: {line}")
        };
        if is_unread(name) {
            continue;
        }
        let json = serde_json::from_str(json).expect("JSON");
        let number = version.parse().expect("a version");
        match check(name, tree::base64(bytes).into(), number, &json) {
            Some(Ok(())) => {}
            Some(Err(error)) => panic!("{name} version {version}, seed {seed}: {error}\n{json:#}"),
            None => panic!("Kafka has {name}, and it is not known here"),
        }
        *counts.entry((name.to_owned(), version.to_owned())).or_default() += 1;
    }
    let total: usize = counts.values().sum();
    println!("{total} {kind} records equal, of {} records and versions", counts.len());
    assert!(total > 0);
}
