"""kafka-get-offsets with every --time there is, also inside compressed batches."""

import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

import time

from confluent_kafka import Producer

from broker import kafka
from check import case, equal, main
from wire import api_versions, batches

HOUR = 3_600_000
FIND_COORDINATOR = 10


def fill(broker, topic, compression):
    """Values that are worth compressing one by one, since librdkafka sends a batch as it is otherwise.

    Partition 0: 30 records, one second apart, but number 11 is the latest. Partition 1: 5 records. Partition 2: none."""
    kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", topic, "--partitions", 3)
    base = int(time.time() * 1000) - HOUR
    producer = Producer({"bootstrap.servers": broker.address, "compression.type": compression, "linger.ms": 100})
    for n in range(30):
        stamp = base + 1000 * n if n != 11 else base + 100_000
        producer.produce(topic, value=f"value {n} " + "abc" * 50, partition=0, timestamp=stamp)
    for n in range(5):
        producer.produce(topic, value=f"other {n} " + "abc" * 50, partition=1, timestamp=base + 500 + n)
    equal(producer.flush(30), 0, "records left unsent")
    return base


def offsets(broker, topic, *options):
    done = kafka("get-offsets", "--bootstrap-server", broker.address, "--topic", topic, *options)
    return sorted(done.stdout.split())


@case
def every_special_time(context):
    broker = context.shared
    topic = "special"
    fill(broker, topic, "none")
    ends = [f"{topic}:0:30", f"{topic}:1:5", f"{topic}:2:0"]
    equal(offsets(broker, topic), ends, "without --time")
    expected = {
        ("-1", "latest"): ends,
        ("-2", "earliest", "-4", "earliest-local"): [f"{topic}:{p}:0" for p in range(3)],
        # An empty partition has no latest record: Kafka's tool leaves it out.
        ("-3", "max-timestamp"): [f"{topic}:0:11", f"{topic}:1:4"],
        # Nothing is tiered: no offset is known, and nothing is printed.
        ("-5", "latest-tiered", "-6", "earliest-pending-upload"): [],
    }
    for names, lines in expected.items():
        for name in names:
            equal(offsets(broker, topic, "--time", name), lines, f"--time {name}")


def _times(compression):
    def times(context):
        broker = context.shared
        topic = f"times-{compression}"
        base = fill(broker, topic, compression)
        # librdkafka sends lz4 only to a broker that advertises FindCoordinator, and silently nothing otherwise.
        expected = "none" if compression == "lz4" and FIND_COORDINATOR not in api_versions(broker.address) else compression
        equal({b.codec for b in batches(broker.address, topic)}, {expected}, "codec stored")
        equal(offsets(broker, topic, "--time", "max-timestamp"), [f"{topic}:0:11", f"{topic}:1:4"], "latest record")
        # The first record at or after a time, exact inside a batch; a partition without one is left out.
        for at, first, second in ((base, 0, 0), (base + 4500, 5, None), (base + 11_001, 11, None), (base + 502, 1, 2)):
            lines = [f"{topic}:0:{first}"] + ([f"{topic}:1:{second}"] if second is not None else [])
            equal(offsets(broker, topic, "--time", at), lines, f"{at - base} ms after the first record")
    times.__name__ = f"times_inside_batches_{compression}"
    return times


for compression in ("none", "gzip", "snappy", "lz4", "zstd"):
    case(_times(compression))


@case
def partitions_and_patterns(context):
    broker = context.shared
    fill(broker, "chosen", "none")
    equal(offsets(broker, "chosen", "--partitions", "0,2"), ["chosen:0:30", "chosen:2:0"], "two of three")
    done = kafka("get-offsets", "--bootstrap-server", broker.address, "--topic-partitions", "chosen:1")
    equal(done.stdout.split(), ["chosen:1:5"], "by pattern")


main("get-offsets")
