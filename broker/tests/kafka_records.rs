//! Records of the cluster metadata log that Kafka's own classes have written decode here, mean the same field by field,
//! and encode to the same bytes: every record, every version.
//!
//! Needs a JDK and Kafka's jars, so it is run by `scripts/codec/check`; SEED and COUNT may be set.

#[path = "../../net/tests/kafka_schema/tree.rs"]
mod tree;

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

use broker::metadata::records;
use bytes::Bytes;
use serde_json::Value;

macro_rules! checks {
    ($($name:ident)*) => {
        fn check(name: &str, bytes: Bytes, version: i16, json: &Value) -> Result<(), String> {
            match name {
                $(stringify!($name) => tree::check::<records::$name>(bytes, version, json),)*
                _ => Err("Kafka has it, and it is not known here".to_owned()),
            }
        }
    };
}

checks! {
    RegisterBrokerRecord UnregisterBrokerRecord TopicRecord PartitionRecord ConfigRecord PartitionChangeRecord
    FenceBrokerRecord UnfenceBrokerRecord RemoveTopicRecord DelegationTokenRecord UserScramCredentialRecord
    FeatureLevelRecord ClientQuotaRecord ProducerIdsRecord BrokerRegistrationChangeRecord AccessControlEntryRecord
    RemoveAccessControlEntryRecord NoOpRecord ZkMigrationStateRecord RemoveUserScramCredentialRecord
    BeginTransactionRecord EndTransactionRecord AbortTransactionRecord RemoveDelegationTokenRecord
    RegisterControllerRecord ClearElrRecord
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[test]
#[ignore = "needs a JDK and Kafka's jars: scripts/codec/check runs it"]
fn records_of_kafkas_own_classes() {
    let (seed, count) = (variable("SEED", "1"), variable("COUNT", "40"));
    let libs = std::env::var("KAFKA_LIBS").expect("KAFKA_LIBS is the directory of Kafka's jars");
    let output = Command::new("java")
        .args(["-cp", &format!("{libs}/*")])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/codec/Generate.java"))
        .args([&seed, &count, "metadata"])
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
        let json = serde_json::from_str(json).expect("JSON");
        let number = version.parse().expect("a version");
        if let Err(error) = check(name, tree::base64(bytes).into(), number, &json) {
            panic!("{name} version {version}, seed {seed}: {error}\n{json:#}");
        }
        *counts.entry((name.to_owned(), version.to_owned())).or_default() += 1;
    }
    let total: usize = counts.values().sum();
    println!("{total} metadata records equal, of {} records and versions", counts.len());
    assert!(total > 0);
}
