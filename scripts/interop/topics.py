"""kafka-topics create, list, describe, delete; kafka-configs describe; kafka-broker-api-versions."""

import re
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from broker import kafka
from check import absent, case, contains, equal, main
from wire import api_versions

DESCRIBE_TOPIC_PARTITIONS = 75


def topics(broker, *options, check=True):
    return kafka("topics", "--bootstrap-server", broker.address, *options, check=check)


def listed(broker):
    return topics(broker, "--list").stdout.split()


@case
def create_list_describe_delete(context):
    broker = context.shared
    equal(topics(broker, "--create", "--topic", "plain", "--partitions", 4, "--replication-factor", 1).stdout, "Created topic plain.\n", "answer")
    done = topics(broker, "--create", "--topic", "tuned.one", "--config", "retention.ms=3600000", "--config", "segment.bytes=2097152")
    contains(done.stdout, "Created topic tuned.one.")
    contains(done.stdout + done.stderr, "topics with a period ('.') or underscore ('_') could collide")
    assert {"plain", "tuned.one"} <= set(listed(broker))

    lines = topics(broker, "--describe", "--topic", "plain").stdout.splitlines()
    head = re.fullmatch(r"Topic: plain\tTopicId: ([\w-]{22})\tPartitionCount: 4\tReplicationFactor: 1\tConfigs: .*", lines[0])
    assert head, lines[0]
    # Without DescribeTopicPartitions the tool asks by Metadata, which has no eligible leader replicas.
    elr = "" if DESCRIBE_TOPIC_PARTITIONS in api_versions(broker.address) else "N/A"
    expected = [f"\tTopic: plain\tPartition: {n}\tLeader: 1\tReplicas: 1\tIsr: 1\tElr: {elr}\tLastKnownElr: {elr}" for n in range(4)]
    equal(lines[1:], expected, "partitions")
    head = topics(broker, "--describe", "--topic", "tuned.one").stdout.splitlines()[0]
    contains(head, "retention.ms=3600000")
    contains(head, "segment.bytes=2097152")

    for name in ("plain", "tuned.one"):
        topics(broker, "--delete", "--topic", name)
    equal({"plain", "tuned.one"} & set(listed(broker)), set(), "topics left")
    gone = topics(broker, "--describe", "--topic", "plain", check=False)
    equal(gone.returncode, 1, "exit code of describing what is gone")
    contains(gone.stdout + gone.stderr, "Topic 'plain' does not exist as expected")


@case
def created_again_under_a_new_id(context):
    broker = context.shared
    ids = set()
    for _ in range(2):
        topics(broker, "--create", "--topic", "again")
        ids.add(re.search(r"TopicId: ([\w-]{22})", topics(broker, "--describe", "--topic", "again").stdout)[1])
        topics(broker, "--delete", "--topic", "again")
    equal(len(ids), 2, "topic ids")


@case
def errors_in_kafkas_words(context):
    broker = context.shared
    topics(broker, "--create", "--topic", "there")

    def refused(*options):
        done = topics(broker, "--create", *options, check=False)
        equal(done.returncode, 1, "exit code")
        return done.stdout + done.stderr

    contains(refused("--topic", "there"), "Topic 'there' already exists.")
    equal(topics(broker, "--create", "--if-not-exists", "--topic", "there").returncode, 0, "exit code with --if-not-exists")
    contains(refused("--topic", "three", "--replication-factor", 3), "Unable to replicate the partition 3 time(s)")
    contains(refused("--topic", "bad-config", "--config", "segment.bytes=12"), "segment.bytes")
    contains(refused("--topic", "no/slash"), "no/slash")
    absent("\n".join(listed(broker)), "three", "bad-config")


@case
def configs_describe_with_sources(context):
    broker = context.shared
    topics(broker, "--create", "--topic", "sources", "--config", "retention.ms=7200000")

    def described(*options):
        return kafka("configs", "--bootstrap-server", broker.address, "--describe", *options).stdout

    text = described("--entity-type", "topics", "--entity-name", "sources")
    contains(text, "Dynamic configs for topic sources are:")
    contains(text, "retention.ms=7200000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=7200000")
    text = described("--entity-type", "topics", "--entity-name", "sources", "--all")
    contains(text, "segment.bytes=1073741824 sensitive=false synonyms={DEFAULT_CONFIG:log.segment.bytes=1073741824}")
    contains(text, "message.timestamp.type=CreateTime")
    text = described("--entity-type", "brokers", "--entity-name", "1", "--all")
    contains(text, "log.segment.bytes=1073741824 sensitive=false synonyms={DEFAULT_CONFIG:log.segment.bytes=1073741824}")
    contains(text, "num.partitions=1")


@case
def every_advertised_version_is_in_the_tools_range(context):
    broker = context.shared
    text = kafka("broker-api-versions", "--bootstrap-server", broker.address).stdout
    contains(text, f"{broker.address} (id: 1 rack: null")
    absent(text, "UNSUPPORTED: ", "usable: none")
    ranges = api_versions(broker.address)
    equal(ranges[0], (0, 13), "Produce, from 0 for librdkafka's sake")
    expected = {1: (4, 18), 2: (1, 11), 3: (0, 13), 18: (0, 4), 19: (2, 7), 20: (1, 6), 22: (0, 5), 23: (2, 4), 32: (1, 4)}
    equal({k: ranges.get(k) for k in expected}, expected, "the ranges of Kafka 4.3")


main("topics")
