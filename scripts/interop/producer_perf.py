"""kafka-producer-perf-test: its defaults, and every acks with every compression. What was stored is counted and its codec read back."""

import re
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from broker import kafka
from check import case, contains, equal, main
from wire import at_least, batches

RECORDS = 3000


def perf(broker, topic, *properties):
    command = ["--topic", topic, "--num-records", RECORDS, "--record-size", 1000, "--throughput", -1, "--bootstrap-server", broker.address]
    command += ["--command-property", *properties] if properties else []
    done = kafka("producer-perf-test", *command)
    found = re.search(r"^(\d+) records sent, [\d.]+ records/sec", done.stdout.splitlines()[-1])
    assert found, f"no closing line:\n{done.stdout}{done.stderr}"
    equal(int(found[1]), RECORDS, "records sent")
    equal(done.stderr, "", "warnings of the tool")


def stored(broker, topic):
    found = at_least(RECORDS, broker.address, topic)
    equal(sum(b.count for b in found), RECORDS, "records stored")
    equal([b.base for b in found], [0] + [b.last + 1 for b in found[:-1]], "offsets without gaps")
    return found


@case
def with_its_defaults(context):
    broker = context.shared
    kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", "defaults", "--partitions", 1)
    perf(broker, "defaults")
    found = stored(broker, "defaults")
    equal({b.codec for b in found}, {"none"}, "codec")
    # The tool's producer is idempotent unless told otherwise.
    assert all(b.producer_id >= 0 and b.sequence >= 0 for b in found), "not idempotent"


@case
def to_a_topic_that_it_creates(context):
    broker = context.shared
    command = ["--topic", "auto", "--num-records", 10, "--record-size", 100, "--throughput", -1, "--bootstrap-server", broker.address]
    contains(kafka("producer-perf-test", *command).stdout, "10 records sent")
    equal(sum(b.count for b in batches(broker.address, "auto")), 10, "records stored")


def _every(acks):
    def every_compression(context):
        broker = context.shared
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            topic = f"acks-{acks}-{codec}"
            kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", topic, "--partitions", 1)
            perf(broker, topic, f"acks={acks}", f"compression.type={codec}")
            equal({b.codec for b in stored(broker, topic)}, {codec}, f"codec of {topic}")
    every_compression.__name__ = f"acks_{acks}_with_every_compression"
    return every_compression


for acks in ("0", "1", "all"):
    case(_every(acks))

main("producer-perf-test")
