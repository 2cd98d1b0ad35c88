"""Kafka's administration tools: kafka-configs, kafka-topics --alter, kafka-delete-records, kafka-reassign-partitions, kafka-leader-election,
kafka-metadata-quorum, kafka-features, kafka-client-metrics, kafka-cluster. With ODRADEK_LONG=1 all cases. What they print against the real Kafka is what they must print here."""

import json
import os
import pathlib
import re
import sys
import tempfile
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from broker import SCRATCH, kafka
from check import absent, case, contains, equal, main
from wire import api_versions

# What would make the short form too long: every call is a JVM.
long = case if os.environ.get("ODRADEK_LONG") else (lambda function: function)


def run(broker, tool, *options, check=True):
    done = kafka(tool, "--bootstrap-server", broker.address, *options, check=check)
    done.both = done.stdout + done.stderr
    return done


def create(broker, name, partitions=1, *configs):
    options = [part for config in configs for part in ("--config", config)]
    run(broker, "topics", "--create", "--topic", name, "--partitions", partitions, *options)


def configs(broker, kind, name, *options, check=True):
    entity = ["--entity-default"] if name is None else ["--entity-name", name]
    return run(broker, "configs", "--entity-type", kind, *entity, *options, check=check)


def given_as_json(value):
    with tempfile.NamedTemporaryFile("w", suffix=".json", dir=SCRATCH, delete=False) as file:
        json.dump(value, file)
    return file.name


@long
def topic_configs_change(context):
    broker = context.shared
    create(broker, "altered")
    done = configs(broker, "topics", "altered", "--alter", "--add-config", "retention.ms=1000,cleanup.policy=[compact,delete]")
    contains(done.stdout, "Completed updating config for topic altered.")
    text = configs(broker, "topics", "altered", "--describe").stdout
    contains(text, "retention.ms=1000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=1000")
    contains(text, "cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, DEFAULT_CONFIG:log.cleanup.policy=delete}")
    configs(broker, "topics", "altered", "--alter", "--delete-config", "retention.ms,cleanup.policy")
    absent(configs(broker, "topics", "altered", "--describe").stdout, "retention.ms", "cleanup.policy")
    for config, text in [("retention.ms=x", "Invalid value x for configuration retention.ms: Not a number of type LONG"), ("no.such=1", "Unknown topic config name: no.such")]:
        refused = configs(broker, "topics", "altered", "--alter", "--add-config", config, check=False)
        equal(refused.returncode, 1, "exit code")
        contains(refused.both, text)


@case
def broker_configs_show_where_they_come_from(context):
    broker = context.shared
    create(broker, "under-brokers")
    configs(broker, "brokers", None, "--alter", "--add-config", "log.retention.ms=111111")
    configs(broker, "brokers", "1", "--alter", "--add-config", "log.retention.ms=222222")
    contains(configs(broker, "brokers", None, "--describe").stdout, "log.retention.ms=111111 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=111111}")
    contains(configs(broker, "brokers", "1", "--describe").stdout,
             "log.retention.ms=222222 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.retention.ms=222222, DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=111111")
    contains(configs(broker, "topics", "under-brokers", "--describe", "--all").stdout, "retention.ms=222222 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:log.retention.ms=222222")
    refused = configs(broker, "brokers", "1", "--alter", "--add-config", "log.retention.hours=1", check=False)
    contains(refused.both, "Cannot update these configs dynamically: [log.retention.hours]")
    for name in (None, "1"):
        configs(broker, "brokers", name, "--alter", "--delete-config", "log.retention.ms")
    absent(configs(broker, "brokers", "1", "--describe").stdout, "log.retention.ms")


@case
def quotas_are_set_and_described(context):
    broker = context.shared
    run(broker, "configs", "--alter", "--add-config", "producer_byte_rate=1000000,request_percentage=150", "--entity-type", "users", "--entity-name", "quota-user",
        "--entity-type", "clients", "--entity-name", "quota-client")
    run(broker, "configs", "--alter", "--add-config", "consumer_byte_rate=2000000", "--entity-type", "clients", "--entity-default")
    text = run(broker, "configs", "--describe", "--entity-type", "users", "--entity-name", "quota-user", "--entity-type", "clients", "--entity-name", "quota-client").stdout
    line = "Quota configs for user-principal 'quota-user', client-id 'quota-client' are "
    contains(text, line)
    equal(set(text.strip().removeprefix(line).split(", ")), {"producer_byte_rate=1000000.0", "request_percentage=150.0"}, "quotas")
    contains(run(broker, "configs", "--describe", "--entity-type", "clients", "--entity-default").stdout, "Quota configs for the default client-id are consumer_byte_rate=2000000.0")
    run(broker, "configs", "--alter", "--delete-config", "consumer_byte_rate", "--entity-type", "clients", "--entity-default")
    equal(run(broker, "configs", "--describe", "--entity-type", "clients", "--entity-default").stdout.strip(), "", "after deletion")
    refused = run(broker, "configs", "--alter", "--add-config", "producer_byte_rate=0", "--entity-type", "clients", "--entity-default", check=False)
    contains(refused.both, "must be greater than 0")


@long
def group_and_client_metrics_configs(context):
    broker = context.shared
    configs(broker, "groups", "some-group", "--alter", "--add-config", "consumer.session.timeout.ms=50000")
    contains(configs(broker, "groups", "some-group", "--describe").stdout, "consumer.session.timeout.ms=50000 sensitive=false synonyms={DYNAMIC_GROUP_CONFIG:consumer.session.timeout.ms=50000")
    configs(broker, "groups", "some-group", "--alter", "--delete-config", "consumer.session.timeout.ms")
    contains(run(broker, "client-metrics", "--alter", "--name", "some-sub", "--metrics", "org.apache.kafka.", "--interval", "1000").stdout, "Altered client metrics config for some-sub.")
    equal(run(broker, "client-metrics", "--list").stdout.split(), ["some-sub"], "subscriptions")
    contains(run(broker, "client-metrics", "--describe", "--name", "some-sub").stdout, "interval.ms=1000")
    run(broker, "client-metrics", "--delete", "--name", "some-sub")
    equal(run(broker, "client-metrics", "--list").stdout.split(), [], "subscriptions")


@case
def topics_get_more_partitions(context):
    broker = context.shared
    create(broker, "grows", 2)
    equal(run(broker, "topics", "--alter", "--topic", "grows", "--partitions", 5).stdout, "", "answer")
    contains(run(broker, "topics", "--describe", "--topic", "grows").stdout, "PartitionCount: 5")
    refused = run(broker, "topics", "--alter", "--topic", "grows", "--partitions", 3, check=False)
    equal(refused.returncode, 1, "exit code")
    contains(refused.both, "The topic grows currently has 5 partition(s); 3 would not be an increase.")
    contains(run(broker, "topics", "--alter", "--topic", "grows", "--partitions", 5, check=False).both, "Topic already has 5 partition(s).")


@case
def records_are_deleted(context):
    broker = context.shared
    create(broker, "forgets", 1)
    kafka("console-producer", "--bootstrap-server", broker.address, "--topic", "forgets", stdin="".join(f"{n}\n" for n in range(10)))
    offsets = given_as_json({"version": 1, "partitions": [{"topic": "forgets", "partition": 0, "offset": 4}, {"topic": "none", "partition": 0, "offset": 1}]})
    text = run(broker, "delete-records", "--offset-json-file", offsets, check=False).both
    contains(text, "partition: forgets-0\tlow_watermark: 4")
    contains(text, "partition: none-0\terror: ")
    kept = kafka("console-consumer", "--bootstrap-server", broker.address, "--topic", "forgets", "--partition", 0, "--offset", "earliest", "--timeout-ms", 4000, "--max-messages", 6, check=False)
    equal(kept.stdout.split(), [str(n) for n in range(4, 10)], "records left")
    offsets = given_as_json({"version": 1, "partitions": [{"topic": "forgets", "partition": 0, "offset": -1}]})
    contains(run(broker, "delete-records", "--offset-json-file", offsets).stdout, "partition: forgets-0\tlow_watermark: 10")
    contains(kafka("get-offsets", "--bootstrap-server", broker.address, "--topic", "forgets", "--time", "earliest").stdout, "forgets:0:10")


@long
def reassignments_on_one_node(context):
    broker = context.shared
    create(broker, "stays", 2)
    plan = {"version": 1, "partitions": [{"topic": "stays", "partition": n, "replicas": [1], "log_dirs": ["any"]} for n in range(2)]}
    file = given_as_json(plan)
    contains(run(broker, "reassign-partitions", "--execute", "--reassignment-json-file", file).stdout, "Successfully started partition reassignments for stays-0,stays-1")
    text = run(broker, "reassign-partitions", "--verify", "--reassignment-json-file", file).stdout
    contains(text, "Reassignment of partition stays-0 is completed.")
    contains(run(broker, "reassign-partitions", "--list").stdout, "No partition reassignments found.")
    plan["partitions"][0]["replicas"] = [7]
    refused = run(broker, "reassign-partitions", "--execute", "--reassignment-json-file", given_as_json(plan), check=False)
    contains(refused.both, "7")
    equal(refused.returncode, 1, "exit code")
    topics = given_as_json({"version": 1, "topics": [{"topic": "stays"}]})
    text = run(broker, "reassign-partitions", "--generate", "--topics-to-move-json-file", topics, "--broker-list", 1).stdout
    contains(text, "Current partition replica assignment")
    contains(text, '{"topic":"stays","partition":0,"replicas":[1],"log_dirs":["any"]}')


@case
def leaders_are_elected(context):
    broker = context.shared
    create(broker, "led", 2)
    text = run(broker, "leader-election", "--election-type", "preferred", "--topic", "led", "--partition", 0).stdout
    contains(text, "Valid replica already elected for partitions led-0")
    text = run(broker, "leader-election", "--election-type", "unclean", "--topic", "led", "--partition", 1).stdout
    contains(text, "Valid replica already elected for partitions led-1")
    equal(run(broker, "leader-election", "--election-type", "preferred", "--all-topic-partitions").returncode, 0, "exit code")
    refused = run(broker, "leader-election", "--election-type", "preferred", "--topic", "led", "--partition", 9, check=False)
    equal(refused.returncode, 1, "exit code")
    contains(refused.both, "led-9")


@case
def the_quorum_is_described(context):
    broker = context.shared
    text = run(broker, "metadata-quorum", "describe", "--status").stdout
    for part in (r"ClusterId: +\S{22}\n", r"LeaderId: +1\n", r"LeaderEpoch: +\d+\n", r"HighWatermark: +\d+\n", r"MaxFollowerLag: +0\n", r"MaxFollowerLagTimeMs: +0\n",
                 r'CurrentVoters: +\[\{"id": 1, "directoryId": "\S{22}"', r"CurrentObservers: +\[\]"):
        assert re.search(part, text), f"{part}:\n{text}"
    lines = run(broker, "metadata-quorum", "describe", "--replication").stdout.splitlines()
    equal(lines[0].split(), ["NodeId", "DirectoryId", "LogEndOffset", "Lag", "LastFetchTimestamp", "LastCaughtUpTimestamp", "Status"], "heading")
    fields = lines[1].split()
    equal((fields[0], fields[3], fields[-1], len(lines)), ("1", "0", "Leader", 2), "the leader")


@case
def features_are_described_and_kept(context):
    broker = context.shared
    text = run(broker, "features", "describe").stdout
    assert re.search(r"Feature: metadata.version +SupportedMinVersion: \S+ +SupportedMaxVersion: 4.3-IV0 +FinalizedVersionLevel: 4.3-IV0 +Epoch: \d+", text), text
    assert re.search(r"Feature: kraft.version +SupportedMinVersion: 0 +SupportedMaxVersion: 1 +FinalizedVersionLevel: 1 ", text), text
    refused = run(broker, "features", "upgrade", "--feature", "metadata.version=99", check=False)
    equal(refused.returncode, 1, "exit code")
    refused = run(broker, "features", "downgrade", "--feature", "kraft.version=0", check=False)
    contains(refused.both, "Can't downgrade the version of this feature.")


@case
def clusters_and_versions(context):
    broker = context.shared
    assert re.search(r"Cluster ID: \S{22}", kafka("cluster", "cluster-id", "--bootstrap-server", broker.address).stdout)
    text = kafka("cluster", "list-endpoints", "--bootstrap-server", broker.address).stdout
    contains(text, "127.0.0.1")
    text = run(broker, "broker-api-versions").stdout
    absent(text, "usable: none")
    ranges = api_versions(broker.address)
    expected = {21: (0, 2), 33: (0, 2), 37: (0, 3), 43: (0, 2), 44: (0, 1), 45: (0, 1), 46: (0, 0), 48: (0, 1), 49: (0, 1), 55: (0, 2), 57: (0, 2), 60: (0, 2), 61: (0, 0),
                74: (0, 1), 75: (0, 0)}
    equal({key: ranges.get(key) for key in expected}, expected, "the ranges of Kafka 4.3")


@long
def log_levels_change(context):
    broker = context.shared
    done = configs(broker, "broker-loggers", "1", "--alter", "--add-config", "root=WARN")
    contains(done.stdout, "Completed updating config for broker-logger 1.")
    contains(configs(broker, "broker-loggers", "1", "--describe").stdout, "root=WARN sensitive=false")
    configs(broker, "broker-loggers", "1", "--alter", "--add-config", "root=INFO")
    contains(configs(broker, "broker-loggers", "1", "--alter", "--add-config", "no.such=INFO", check=False).both, "Invalid broker logger(s): no.such")


main("admin")
