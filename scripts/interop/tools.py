"""Kafka's own tools against the broker under test and a real Kafka side by side: what each command prints must be the same.

What they do beside printing is seen in other suites (`topics`, `groups`, `end_to_end`, ..). Masked: addresses, directories, ids, times, sizes and rates. A command that fails must fail alike.
"""

import json
import re
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from broker import SCRATCH, Broker, kafka
from check import case, equal, main

_peer = None


def peer():
    """The real Kafka, one for all cases."""
    global _peer
    if _peer is None:
        _peer = Broker("kafka", timeout=120).start()
    return _peer


class Both:
    """Both brokers; what one is told, the other is told, too, and what they say is compared."""

    def __init__(self, context):
        self.brokers = [context.shared, peer()]

    def run(self, tool, *args, at="--bootstrap-server", stdin=None, mask=(), numbers=False):
        """What the tool prints, masked; of the broker under test."""
        said = [self._one(broker, tool, at, args, stdin, mask, numbers) for broker in self.brokers]
        if said[0] != said[1]:
            raise AssertionError(f"{tool} {' '.join(map(str, args))}\n--- Kafka says\n{said[1]}\n--- the broker says\n{said[0]}")
        return said[0]

    @staticmethod
    def _one(broker, tool, at, args, stdin, mask, numbers):
        where = [at, broker.address] if at else [broker.address]
        given = [str(arg).replace("DATA", str(broker.data)) for arg in args]
        done = kafka(tool, *where, *given, stdin=stdin, check=False)
        text = f"exit {done.returncode}\n{done.stdout}{_of_errors(done.stderr)}"
        text = text.replace(broker.address, "ADDRESS").replace(str(broker.port), "PORT").replace(str(broker.data), "DATA")
        for pattern, word in [*mask, (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,:]\d+\S*", "TIME"), (r"(?<![\w/+-])[A-Za-z0-9_-]{22}(?![\w-])", "ID")]:
            text = re.sub(pattern, word, text)
        if numbers:
            text = re.sub(r"\d+(\.\d+)?", "N", text)
        return text


def _of_errors(text):
    """Without traces, and warnings of the client about itself."""
    lines = [line for line in text.splitlines() if not re.match(r"\s+at |\[?\d{4}-|\s+\.\.\. \d+ more|WARNING|SLF4J", line)]
    return "\n".join(lines)


def file(name, content):
    path = SCRATCH / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def create(both, topic, partitions=2, records=0):
    both.run("topics", "--create", "--topic", topic, "--partitions", partitions)
    if records:
        lines = "".join(f"{n}\n" for n in range(records))
        both.run("console-producer", "--topic", topic, "--producer-property", "partitioner.class=org.apache.kafka.clients.producer.RoundRobinPartitioner",
                 "--producer-property", "batch.size=0", stdin=lines, numbers=True, mask=[(r"(?s).*", "")])


@case
def configs(context):
    both = Both(context)
    create(both, "configured")
    topic = ["--entity-type", "topics", "--entity-name", "configured"]
    both.run("configs", *topic, "--alter", "--add-config", "retention.ms=1000,cleanup.policy=[compact,delete],compression.type=zstd")
    both.run("configs", *topic, "--describe")
    both.run("configs", *topic, "--alter", "--delete-config", "retention.ms,compression.type")
    both.run("configs", *topic, "--describe")
    both.run("configs", *topic, "--alter", "--add-config", "retention.ms=x")
    both.run("configs", *topic, "--alter", "--add-config", "no.such.key=1")
    both.run("configs", "--entity-type", "topics", "--entity-name", "none", "--describe")
    broker = ["--entity-type", "brokers", "--entity-name", "1"]
    both.run("configs", *broker, "--alter", "--add-config", "log.retention.ms=60000")
    both.run("configs", *broker, "--describe")
    both.run("configs", *broker, "--alter", "--delete-config", "log.retention.ms")
    both.run("configs", "--entity-type", "brokers", "--entity-default", "--alter", "--add-config", "log.segment.bytes=2000000")
    # Kafka writes one of its own when it is formatted (KIP-966).
    both.run("configs", "--entity-type", "brokers", "--entity-default", "--describe", mask=[(r"(?m)^ *min\.insync\.replicas=.*\n", "")])
    both.run("configs", "--entity-type", "brokers", "--entity-default", "--alter", "--delete-config", "log.segment.bytes")
    group = ["--entity-type", "groups", "--entity-name", "a-group"]
    both.run("configs", *group, "--alter", "--add-config", "consumer.session.timeout.ms=50000")
    both.run("configs", *group, "--describe")
    # Of users the tool wants to know their credentials, too, which is a matter of security.
    for entity in (["--entity-type", "clients", "--entity-name", "a-client"], ["--entity-type", "clients", "--entity-default"]):
        both.run("configs", *entity, "--alter", "--add-config", "producer_byte_rate=1048576,consumer_byte_rate=2097152")
        both.run("configs", *entity, "--describe")
        both.run("configs", *entity, "--alter", "--delete-config", "producer_byte_rate,consumer_byte_rate")
        both.run("configs", *entity, "--describe")


@case
def client_metrics(context):
    both = Both(context)
    both.run("client-metrics", "--alter", "--name", "mine", "--metrics", "org.apache.kafka.producer.", "--interval", "30000", "--match", "client_id=a.*")
    both.run("client-metrics", "--list")
    both.run("client-metrics", "--describe", "--name", "mine")
    both.run("client-metrics", "--delete", "--name", "mine")
    both.run("client-metrics", "--list")


@case
def consumer_groups(context):
    both = Both(context)
    create(both, "grouped", 2, 20)
    mine = ["--group", "resetting", "--topic", "grouped"]
    for to in (["--to-latest"], ["--to-earliest"], ["--to-offset", 7], ["--shift-by", -3], ["--shift-by", 100], ["--by-duration", "PT1H"],
               ["--to-datetime", "2020-01-01T00:00:00.000"], ["--to-current"]):
        both.run("consumer-groups", "--reset-offsets", *mine, *to, "--dry-run")
        both.run("consumer-groups", "--reset-offsets", *mine, *to, "--execute")
    both.run("consumer-groups", "--describe", "--group", "resetting")
    both.run("consumer-groups", "--reset-offsets", "--group", "resetting", "--topic", "grouped:1", "--to-offset", 2, "--execute")
    plan = both.run("consumer-groups", "--reset-offsets", *mine, "--to-current", "--export", "--dry-run")
    rows = [line for line in plan.splitlines() if line.count(",") >= 2]
    both.run("consumer-groups", "--reset-offsets", "--group", "resetting", "--from-file", file("offsets.csv", "\n".join(rows) + "\n"), "--execute")
    both.run("consumer-groups", "--describe", "--group", "resetting", "--offsets")
    both.run("consumer-groups", "--describe", "--group", "resetting", "--state")
    both.run("consumer-groups", "--describe", "--group", "resetting", "--members")
    both.run("consumer-groups", "--describe", "--group", "nobody")
    both.run("consumer-groups", "--list")
    both.run("consumer-groups", "--list", "--state")
    both.run("groups", "--list")
    both.run("consumer-groups", "--delete-offsets", "--group", "resetting", "--topic", "grouped:0")
    both.run("consumer-groups", "--delete-offsets", "--group", "resetting", "--topic", "none")
    both.run("consumer-groups", "--describe", "--group", "resetting")
    both.run("consumer-groups", "--delete", "--group", "resetting")
    both.run("consumer-groups", "--delete", "--group", "resetting")
    both.run("consumer-groups", "--list")


@case
def measuring(context):
    both = Both(context)
    create(both, "measured", 1)
    both.run("producer-perf-test", "--topic", "measured", "--num-records", 2000, "--record-size", 100, "--throughput", 100000, numbers=True)
    said = both.run("consumer-perf-test", "--topic", "measured", "--num-records", 2000, numbers=True)
    assert "data.consumed.in.MB" in said, said
    both.run("e2e-latency", "--topic", "measured", "--num-records", 200, "--producer-acks", "all", "--record-size", 100, numbers=True,
             mask=[(r"(?m)^\d+\t\d+(\.\d+)?$", "PROGRESS")])


@case
def moving(context):
    both = Both(context)
    create(both, "moved", 2, 4)
    plan = {"version": 1, "partitions": [{"topic": "moved", "partition": n, "replicas": [1], "log_dirs": ["any"]} for n in range(2)]}
    topics = file("topics.json", {"version": 1, "topics": [{"topic": "moved"}]})
    both.run("reassign-partitions", "--generate", "--topics-to-move-json-file", topics, "--broker-list", "1")
    for name, change in (("same", {}), ("missing", {"partition": 9})):
        path = file(f"{name}.json", {**plan, "partitions": [{**part, **change} for part in plan["partitions"][:1]]})
        both.run("reassign-partitions", "--execute", "--reassignment-json-file", path)
        both.run("reassign-partitions", "--verify", "--reassignment-json-file", path)
        both.run("reassign-partitions", "--cancel", "--reassignment-json-file", path)
    both.run("reassign-partitions", "--list")
    both.run("leader-election", "--election-type", "preferred", "--topic", "moved", "--partition", 0)
    both.run("leader-election", "--election-type", "preferred", "--all-topic-partitions", mask=[(r"(?s)\(.*\)|\[.*\]", "PARTITIONS"), (r"[\w.-]+-\d+(, )?", "")])
    both.run("leader-election", "--election-type", "unclean", "--path-to-json-file", file("elect.json", {"partitions": [{"topic": "moved", "partition": 1}]}))
    both.run("leader-election", "--election-type", "preferred", "--topic", "none", "--partition", 0)


@case
def where_things_are(context):
    both = Both(context)
    create(both, "placed", 2, 4)
    both.run("log-dirs", "--describe", "--topic-list", "placed", mask=[(r'"size":\d+', "SIZE")])
    both.run("log-dirs", "--describe", "--topic-list", "placed", "--broker-list", "1,9", mask=[(r'"size":\d+', "SIZE")])
    both.run("metadata-quorum", "describe", "--replication", mask=[(r"\b\d{13}\b", "TIME"), (r"[ \t]+\d+[ \t]*", " N ")])
    both.run("metadata-quorum", "describe", "--status", mask=[(r', "endpoints": \[[^\]]*\]', ""), (r'"directoryId": "[^"]*"', "ID"), (r"\d+", "N")])
    both.run("cluster", "cluster-id", mask=[(r"Cluster ID: \S+", "Cluster ID: ID")])
    both.run("cluster", "list-endpoints", mask=[(r" +", " ")])
    path = file("cut.json", {"version": 1, "partitions": [{"topic": "placed", "partition": 0, "offset": 1}, {"topic": "placed", "partition": 9, "offset": 1}]})
    both.run("delete-records", "--offset-json-file", path)
    both.run("get-offsets", "--topic", "placed", "--time", "earliest")


def finish():
    if _peer is not None:
        _peer.kill()


try:
    main("tools")
finally:
    finish()
