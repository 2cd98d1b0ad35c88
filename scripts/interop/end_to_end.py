"""Kafka's tools that produce and consume in one: e2e-latency, verifiable-producer and -consumer, streams-application-reset."""

import json
import re
import subprocess
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from broker import ROOT, die_with_parent, kafka
from check import case, contains, equal, main
from client import until
from wire import at_least


def create(broker, topic, partitions=1, *options):
    kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", topic, "--partitions", partitions, *options)


def events(text):
    """What the verifiable tools print: a JSON object a line."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def offsets(broker, group):
    """{partition: committed offset}"""
    out = kafka("consumer-groups", "--bootstrap-server", broker.address, "--describe", "--group", group).stdout
    return {int(row[2]): int(row[3]) for row in map(str.split, out.splitlines()) if len(row) > 3 and row[0] == group and row[3].isdigit()}


@case
def latency_from_end_to_end(context):
    broker = context.shared
    for acks in ("1", "all"):
        topic = f"e2e-{acks}"
        out = kafka("e2e-latency", "--bootstrap-server", broker.address, "--topic", topic, "--num-records", 500, "--producer-acks", acks, "--record-size", 100).stdout
        assert re.search(r"Percentiles: 50th = \d+, 99th = \d+, 99.9th = \d+", out), out
        equal(sum(b.count for b in at_least(500, broker.address, topic)), 500, f"records of {topic}")


@case
def verifiable_producer_and_consumer(context):
    broker = context.shared
    create(broker, "verified", 3)
    out = kafka("verifiable-producer", "--bootstrap-server", broker.address, "--topic", "verified", "--max-messages", 600, "--acks", -1).stdout
    said = events(out)
    acknowledged = [e for e in said if e["name"] == "producer_send_success"]
    equal(sorted(int(e["value"]) for e in acknowledged), list(range(600)), "values acknowledged")
    [totals] = [e for e in said if e["name"] == "tool_data"]
    equal((totals["sent"], totals["acked"]), (600, 600), "totals")
    stored = sum(sum(b.count for b in at_least(1, broker.address, "verified", p)) for p in range(3))
    equal(stored, 600, "records stored")
    out = kafka("verifiable-consumer", "--bootstrap-server", broker.address, "--topic", "verified", "--group-id", "verifiers", "--max-messages", 600,
                "--reset-policy", "earliest", "--verbose").stdout
    said = events(out)
    read = {(e["partition"], e["offset"]): int(e["value"]) for e in said if e["name"] == "record_data"}
    equal(read, {(e["partition"], e["offset"]): int(e["value"]) for e in acknowledged}, "what was read, and where it was acknowledged")
    assert all(e["success"] for e in said if e["name"] == "offsets_committed"), "a commit that failed"
    equal(sum(offsets(broker, "verifiers").values()), 600, "committed")


@case
def two_verifiable_consumers_share(context):
    broker = context.shared
    create(broker, "halved", 4)
    command = [str(ROOT / "scripts/kafka"), "verifiable-consumer", "--bootstrap-server", broker.address, "--topic", "halved", "--group-id", "halves",
               "--assignment-strategy", "org.apache.kafka.clients.consumer.RoundRobinAssignor", "--session-timeout", "6000"]
    logs = [open(broker.data.parent / f"halves-{n}.txt", "w+") for n in range(2)]
    running = [subprocess.Popen(command, stdout=log, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent()) for log in logs]

    def assigned(log):
        names = [e for e in events(pathlib.Path(log.name).read_text()) if e["name"] in ("partitions_assigned", "partitions_revoked")]
        return {p["partition"] for p in names[-1]["partitions"]} if names and names[-1]["name"] == "partitions_assigned" else set()

    try:
        until(lambda: [len(assigned(log)) for log in logs] == [2, 2], "each has two")
        equal(assigned(logs[0]) | assigned(logs[1]), {0, 1, 2, 3}, "partitions of both")
        running[0].terminate()
        running[0].wait(30)
        until(lambda: assigned(logs[1]) == {0, 1, 2, 3}, "one has all")
    finally:
        for process in running:
            process.kill()
            process.wait()


@case
def an_application_of_streams_is_reset(context):
    broker = context.shared
    create(broker, "input", 2)
    create(broker, "app-store-changelog", 2)
    kafka("producer-perf-test", "--topic", "input", "--num-records", 100, "--record-size", 10, "--throughput", -1, "--producer-props", f"bootstrap.servers={broker.address}")
    kafka("console-consumer", "--bootstrap-server", broker.address, "--topic", "input", "--group", "app", "--from-beginning", "--max-messages", 100, "--timeout-ms", 30000)
    equal(sum(offsets(broker, "app").values()), 100, "committed")
    reset = ["streams-application-reset", "--bootstrap-server", broker.address, "--application-id", "app", "--input-topics", "input"]
    out = kafka(*reset, "--dry-run").stdout
    contains(out, "app-store-changelog")
    equal(sum(offsets(broker, "app").values()), 100, "committed after a dry run")
    kafka(*reset)
    equal(offsets(broker, "app"), {0: 0, 1: 0}, "committed after the reset")
    names = lambda: kafka("topics", "--bootstrap-server", broker.address, "--list").stdout.split()
    until(lambda: "app-store-changelog" not in names(), "the internal topic is gone")


main("end to end")
