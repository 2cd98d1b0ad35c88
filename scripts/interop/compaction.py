"""Compacted topics: the log shrinks, kafka-dump-log reads what is left, and a real Kafka that is given the same records keeps the same."""

import sys, pathlib, random, time
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from broker import Broker, kafka
from check import case, contains, equal, main
from dump import dump, sound

# Batches of one record of 10 KB, so that both brokers roll at the same offsets.
RECORDS, KEYS, VALUE_BYTES = 700, 40, 10_000
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
TIME_MS = 1_700_000_000_000
CLEANER = {"log.cleaner.backoff.ms": 100}


def records(seed):
    """Key, value (None: a tombstone), in order. Some keys are deleted at last, some come back."""
    draw = random.Random(seed)
    for n in range(RECORDS):
        key = b"key-%d" % draw.randrange(KEYS)
        value = None if draw.random() < 0.15 else b"%06d" % n + draw.randbytes(VALUE_BYTES)
        yield key, value


def fill(broker, topic, seed, **settings):
    config = {"cleanup.policy": "compact", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01", "file.delete.delay.ms": "0",
              "message.timestamp.before.max.ms": str(2**63 - 1), **settings}
    admin = AdminClient({"bootstrap.servers": broker.address})
    for future in admin.create_topics([NewTopic(topic, 1, 1, config=config)]).values():
        future.result(30)
    failed = []
    producer = Producer({"bootstrap.servers": broker.address, "batch.num.messages": 1, "enable.idempotence": True})
    for n, (key, value) in enumerate(records(seed)):
        producer.produce(topic, key=key, value=value, partition=0, timestamp=TIME_MS + n,
                         on_delivery=lambda error, _: failed.append(error) if error else None)
        producer.poll(0)
    equal(producer.flush(60), 0, "records left unsent")
    equal(failed, [], "records refused")


def read(broker, topic):
    """Offset, key, value and time of every record that is left."""
    reader = Consumer({"bootstrap.servers": broker.address, "group.id": "unused", "enable.auto.commit": False,
                       "auto.offset.reset": "earliest", "enable.partition.eof": True})
    reader.assign([TopicPartition(topic, 0, 0)])
    found, until = [], time.monotonic() + 30
    while time.monotonic() < until:
        message = reader.poll(0.5)
        if message is None:
            continue
        if message.error():
            equal(message.error().code(), KafkaError._PARTITION_EOF, "what ends the read")
            break
        found.append((message.offset(), message.key(), message.value(), message.timestamp()[1]))
    reader.close()
    return found


def settled(broker, topic, seconds=90):
    """Reads until nothing more goes: some rounds of the cleaner with the same outcome."""
    until, before, same = time.monotonic() + seconds, None, 0
    while same < 4:
        assert time.monotonic() < until, f"{topic} does not come to rest: {len(before)} records"
        time.sleep(1)
        now = read(broker, topic)
        same = same + 1 if now == before and len(now) < RECORDS * 3 // 4 else 0
        before = now
    return before


def check_latest(found, seed):
    latest = {}
    for key, value in records(seed):
        latest[key] = value
    got = {key: value for _, key, value, _ in found}
    for key, value in latest.items():
        assert got.get(key) == value, f"{key}: {str(got.get(key))[:40]}, not {str(value)[:40]}"


def fill_compressed(broker, topic, codec):
    admin = AdminClient({"bootstrap.servers": broker.address})
    config = {"cleanup.policy": "compact", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01",
              "delete.retention.ms": "0", "file.delete.delay.ms": "0"}
    for future in admin.create_topics([NewTopic(topic, 1, 1, config=config)]).values():
        future.result(30)
    producer = Producer({"bootstrap.servers": broker.address, "compression.type": codec, "linger.ms": 5, "batch.size": 30000})
    draw = random.Random(codec)
    for n in range(40000):
        value = None if n % 7 == 0 else b"%08d" % n + draw.randbytes(120)
        producer.produce(topic, key=b"%d" % draw.randrange(200), value=value, partition=0)
        producer.poll(0)
    equal(producer.flush(60), 0, "records left unsent")


@case
def shrinks_and_is_read_by_the_tools(context):
    broker = context.broker(overrides=CLEANER).start()
    for codec in CODECS:
        fill_compressed(broker, f"compact-{codec}", codec)
    sizes = {}
    for codec in CODECS:
        topic, until = f"compact-{codec}", time.monotonic() + 60
        while len(found := read(broker, topic)) > 20000:
            assert time.monotonic() < until, f"{topic}: {len(found)} records are left"
            time.sleep(0.5)
        sizes[topic] = len(found)
        described = kafka("configs", "--bootstrap-server", broker.address, "--describe", "--topic", topic)
        contains(described.stdout, "cleanup.policy=compact")
    broker.stop()
    for topic in sizes:
        files = sorted((broker.topics / f"{topic}-0").glob("*.log"))
        text = dump(files, "--deep-iteration", "--print-data-log")
        # Gaps between offsets are what compaction is about; the tool tells of them, as it does for Kafka's own logs.
        sound("\n".join(l for l in text.splitlines() if "Non-consecutive" not in l), topic)
        contains(text, "deleteHorizonMs: OptionalLong[")
        indexes = [f.with_suffix(s) for f in files[:-1] for s in (".index", ".timeindex")]
        sound(dump(indexes), f"indexes of {topic}")
    text = (broker.topics / "cleaner-offset-checkpoint").read_text()
    equal(len(text.splitlines()), 2 + len(sizes), "lines of cleaner-offset-checkpoint")
    broker.remove()


@case
def a_real_kafka_keeps_the_same(context):
    ours = context.broker(overrides=CLEANER).start()
    theirs = Broker("kafka", overrides={**CLEANER, "offsets.topic.replication.factor": 1}).start()
    # Tombstones that stay (their horizon is far away), and tombstones that go.
    for topic, retention in (("stay", "86400000"), ("go", "1")):
        for broker in (ours, theirs):
            fill(broker, topic, topic, **{"delete.retention.ms": retention})
        found, wanted = settled(ours, topic), settled(theirs, topic)
        if topic == "stay":
            check_latest(found, topic)
        else:
            # A tombstone goes in the round after the one that gives it its horizon, and there is a round only when there is more to clean.
            for again in range(2):
                for broker in (ours, theirs):
                    more(broker, topic, again)
                found, wanted = settled(ours, topic), settled(theirs, topic)
            old = [key for offset, key, value, _ in found if value is None and offset < RECORDS]
            equal(old, [], "tombstones that are left")
        equal([(o, k) for o, k, _, _ in found], [(o, k) for o, k, _, _ in wanted], f"{topic}: offsets and keys")
        equal(found, wanted, f"{topic}: records")
    for broker in (ours, theirs):
        broker.stop()
        broker.remove()


def more(broker, topic, again):
    """Enough for a few segments, of keys of their own."""
    producer = Producer({"bootstrap.servers": broker.address, "batch.num.messages": 1, "enable.idempotence": True})
    for n in range(250):
        producer.produce(topic, key=b"more-%d" % (n % 5), value=b"%06d" % n + bytes(VALUE_BYTES), partition=0, timestamp=TIME_MS + RECORDS + 250 * again + n)
        producer.poll(0)
    equal(producer.flush(60), 0, "records left unsent")


main("compaction")
