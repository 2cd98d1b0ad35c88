//! Messages that Kafka's own classes have written decode here, mean the same field by field, and encode to the same bytes:
//! every API of `net::wire::apis()`, every version, requests and responses.
//!
//! Needs a JDK and Kafka's jars, so it is run by `scripts/codec/check`; SEED and COUNT may be set.

mod tree;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use bytes::Bytes;
use net::wire::{Api, apis};
use serde_json::Value;

/// Decodes, compares, encodes.
type Check = fn(Bytes, i16, &Value) -> Result<(), String>;

macro_rules! checks {
    ($($module:ident $name:ident;)*) => {
        fn checks(name: &str) -> (Check, Check) {
            use net::wire::*;
            match name {
                $(stringify!($name) => {
                    type R = net::wire::$module::$name;
                    (tree::check::<R>, tree::check::<<R as Request>::Response>)
                })*
                _ => panic!("{name} is not checked"),
            }
        }
    };
}

checks! {
    produce ProduceRequest;
    fetch FetchRequest;
    list_offsets ListOffsetsRequest;
    metadata MetadataRequest;
    offset_commit OffsetCommitRequest;
    offset_fetch OffsetFetchRequest;
    find_coordinator FindCoordinatorRequest;
    join_group JoinGroupRequest;
    heartbeat HeartbeatRequest;
    leave_group LeaveGroupRequest;
    sync_group SyncGroupRequest;
    describe_groups DescribeGroupsRequest;
    list_groups ListGroupsRequest;
    delete_groups DeleteGroupsRequest;
    consumer_group_heartbeat ConsumerGroupHeartbeatRequest;
    consumer_group_describe ConsumerGroupDescribeRequest;
    offset_delete OffsetDeleteRequest;
    api_versions ApiVersionsRequest;
    create_topics CreateTopicsRequest;
    delete_topics DeleteTopicsRequest;
    init_producer_id InitProducerIdRequest;
    offset_for_leader_epoch OffsetForLeaderEpochRequest;
    describe_configs DescribeConfigsRequest;
    alter_replica_log_dirs AlterReplicaLogDirsRequest;
    describe_log_dirs DescribeLogDirsRequest;
    alter_configs AlterConfigsRequest;
    incremental_alter_configs IncrementalAlterConfigsRequest;
    create_partitions CreatePartitionsRequest;
    elect_leaders ElectLeadersRequest;
    alter_partition_reassignments AlterPartitionReassignmentsRequest;
    list_partition_reassignments ListPartitionReassignmentsRequest;
    delete_records DeleteRecordsRequest;
    describe_producers DescribeProducersRequest;
    describe_cluster DescribeClusterRequest;
    list_config_resources ListConfigResourcesRequest;
    describe_topic_partitions DescribeTopicPartitionsRequest;
    update_features UpdateFeaturesRequest;
    describe_quorum DescribeQuorumRequest;
    alter_client_quotas AlterClientQuotasRequest;
    describe_client_quotas DescribeClientQuotasRequest;
    get_telemetry_subscriptions GetTelemetrySubscriptionsRequest;
    push_telemetry PushTelemetryRequest;
    share_group_heartbeat ShareGroupHeartbeatRequest;
    share_group_describe ShareGroupDescribeRequest;
    share_fetch ShareFetchRequest;
    share_acknowledge ShareAcknowledgeRequest;
    initialize_share_group_state InitializeShareGroupStateRequest;
    read_share_group_state ReadShareGroupStateRequest;
    write_share_group_state WriteShareGroupStateRequest;
    delete_share_group_state DeleteShareGroupStateRequest;
    read_share_group_state_summary ReadShareGroupStateSummaryRequest;
    describe_share_group_offsets DescribeShareGroupOffsetsRequest;
    alter_share_group_offsets AlterShareGroupOffsetsRequest;
    delete_share_group_offsets DeleteShareGroupOffsetsRequest;
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[test]
#[ignore = "needs a JDK and Kafka's jars: scripts/codec/check runs it"]
fn messages_of_kafkas_own_classes() {
    let (seed, count) = (variable("SEED", "1"), variable("COUNT", "40"));
    let every: Vec<&Api> = apis().iter().collect();
    let ranges = every
        .iter()
        .map(|api| format!("{}:{}-{}", api.key, api.versions.start(), api.versions.end()));
    let mut java = Command::new("java")
        .arg("-cp")
        .arg(format!(
            "{}/*",
            std::env::var("KAFKA_LIBS").expect("KAFKA_LIBS is the directory of Kafka's jars")
        ))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/codec/Generate.java"))
        .args([&seed, &count])
        .args(ranges)
        .stdout(Stdio::piped())
        .spawn()
        .expect("java starts");
    println!("seed {seed}, {count} messages for each version and kind");

    let mut counts = BTreeMap::<i16, BTreeMap<(i16, String), usize>>::new();
    for line in BufReader::new(java.stdout.take().expect("piped")).lines() {
        let line = line.expect("UTF-8");
        let columns: Vec<&str> = line.splitn(6, '\t').collect();
        let [key, version, kind, seed, bytes, json] = columns[..] else {
            panic!("not a message: {line}")
        };
        let (key, version) = (key.parse().expect("a key"), version.parse().expect("a version"));
        let api = every.iter().find(|api| api.key == key).expect("an API that was asked for");
        let (request, response) = checks(&format!("{}Request", api.name));
        let check = if kind == "request" { request } else { response };
        let json = serde_json::from_str(json).expect("JSON");
        if let Err(error) = check(tree::base64(bytes).into(), version, &json) {
            panic!("{} {kind} version {version}, seed {seed}: {error}\n{json:#}", api.name);
        }
        *counts.entry(key).or_default().entry((version, kind.to_owned())).or_default() += 1;
    }
    assert!(java.wait().expect("it was started").success());

    let mut total = 0;
    for Api { key, name, versions, .. } in &every {
        let counts = &counts[key];
        assert_eq!(counts.len(), 2 * versions.clone().count(), "{name}: a version is missing");
        let messages: usize = counts.values().sum();
        println!("{name} {}-{}: {messages} messages equal", versions.start(), versions.end());
        total += messages;
    }
    println!("{total} messages of {} APIs equal", every.len());
}
