"""confluent-kafka for Python (a current librdkafka): produce, assign, seek while fetching, watermarks, offsets for times."""

import time
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from check import case, equal, main
from client import until
from wire import api_versions, at_least, serves

FIND_COORDINATOR = 10


def create(broker, topic, partitions=1, **config):
    admin = AdminClient({"bootstrap.servers": broker.address})
    for future in admin.create_topics([NewTopic(topic, partitions, 1, config=config)]).values():
        future.result(30)
    until(lambda: all(serves(broker.address, topic, p) for p in range(partitions)), f"{topic} is served")


def produce(broker, topic, values, partition=0, **settings):
    """Produces with reports; the offsets that the broker acknowledged."""
    acknowledged, failed = [], []
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 20, **settings})
    report = lambda error, message: failed.append(error) if error else acknowledged.append(message.offset())
    for n, value in enumerate(values):
        producer.produce(topic, value=value, key=f"k{n}", partition=partition, headers=[("n", str(n)), ("n", None)], on_delivery=report)
        producer.poll(0)
    equal(producer.flush(60), 0, "records left unsent")
    equal(failed, [], "records refused")
    return acknowledged


def consumer(broker, **settings):
    return Consumer({"bootstrap.servers": broker.address, "group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "error", **settings})


def take(reader, count, seconds=30):
    """The next `count` records."""
    until, found = time.monotonic() + seconds, []
    while len(found) < count and time.monotonic() < until:
        message = reader.poll(0.5)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        found.append(message)
    equal(len(found), count, "records read")
    return found


@case
def produce_then_assign_with_an_offset(context):
    broker = context.shared
    create(broker, "assigned", 2)
    values = [f"value {n}".encode() for n in range(5000)]
    equal(sorted(produce(broker, "assigned", values, 1)), list(range(5000)), "acknowledged offsets")
    reader = consumer(broker)
    for start in (0, 1, 2345, 4999):
        reader.assign([TopicPartition("assigned", 1, start)])
        got = take(reader, min(700, 5000 - start))
        equal([m.offset() for m in got], list(range(start, start + len(got))), f"offsets from {start}")
        equal([m.value() for m in got], values[start:start + len(got)], f"values from {start}")
        equal(got[0].headers(), [("n", str(start).encode()), ("n", None)], "headers")
        equal(got[0].key(), f"k{start}".encode(), "key")
    reader.close()


@case
def seek_while_fetching(context):
    broker = context.shared
    create(broker, "seeks")
    produce(broker, "seeks", [b"%06d" % n + b"x" * 200 for n in range(20000)])
    reader = consumer(broker, **{"fetch.message.max.bytes": 20000})
    reader.assign([TopicPartition("seeks", 0, 0)])
    for target in (0, 15000, 3, 19990, 7777, 0):
        reader.seek(TopicPartition("seeks", 0, target))
        got = take(reader, 10)
        equal([(m.offset(), m.value()[:6]) for m in got], [(n, b"%06d" % n) for n in range(target, target + 10)], f"after seek to {target}")
    reader.close()


@case
def watermarks_and_times(context):
    broker = context.shared
    create(broker, "marks", 2)
    base = int(time.time() * 1000) - 1_000_000
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 20})
    for n in range(100):
        producer.produce("marks", value=b"v", partition=0, timestamp=base + 10 * n)
    equal(producer.flush(30), 0, "records left unsent")
    reader = consumer(broker)
    equal(reader.get_watermark_offsets(TopicPartition("marks", 0), timeout=30), (0, 100), "watermarks")
    equal(reader.get_watermark_offsets(TopicPartition("marks", 1), timeout=30), (0, 0), "watermarks of an empty partition")
    for at, expected in ((base - 1, 0), (base + 1, 1), (base + 500, 50), (base + 990, 99), (base + 991, -1)):
        found = reader.offsets_for_times([TopicPartition("marks", 0, at)], timeout=30)
        equal([p.offset for p in found], [expected], f"offset for {at - base} ms")
    reader.close()


@case
def the_end_of_a_partition_and_beyond(context):
    broker = context.shared
    create(broker, "ends")
    produce(broker, "ends", [b"only"])
    reader = consumer(broker, **{"enable.partition.eof": True})
    reader.assign([TopicPartition("ends", 0, 1)])
    message = reader.poll(20)
    equal(message and message.error() and message.error().code(), KafkaError._PARTITION_EOF, "the end")
    # A record that arrives while the fetch waits is delivered.
    produce(broker, "ends", [b"late"])
    message = reader.poll(20)
    equal((message.offset(), message.value()), (1, b"late"), "a record that arrived late")
    reader.assign([TopicPartition("ends", 0, 50)])
    message = reader.poll(20)
    equal(message and message.error() and message.error().code(), KafkaError._AUTO_OFFSET_RESET, "beyond the end")
    reader.close()


@case
def every_acks_compression_and_idempotence(context):
    broker = context.shared
    lz4 = "lz4" if FIND_COORDINATOR in api_versions(broker.address) else "none"
    stored = {"none": "none", "gzip": "gzip", "snappy": "snappy", "lz4": lz4, "zstd": "zstd"}
    values = [b"abc" * 100 + b"%d" % n for n in range(300)]
    for acks, idempotent in ((0, False), (1, False), (-1, False), (-1, True)):
        for codec, expected in stored.items():
            topic = f"cf-{acks}-{idempotent}-{codec}"
            create(broker, topic)
            produce(broker, topic, values, acks=acks, **{"compression.type": codec, "enable.idempotence": idempotent})
            found = at_least(len(values), broker.address, topic)
            equal(sum(b.count for b in found), len(values), f"records of {topic}")
            equal({b.codec for b in found}, {expected}, f"codec of {topic}")
            equal({b.producer_id >= 0 for b in found}, {idempotent}, f"producer id of {topic}")


@case
def what_is_refused_is_said(context):
    broker = context.shared
    create(broker, "small", **{"max.message.bytes": "2000"})
    errors = []
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 0})
    producer.produce("small", value=b"x" * 5000, on_delivery=lambda error, _: errors.append(error and error.code()))
    equal(producer.flush(30), 0, "records left unsent")
    equal(errors, [KafkaError.MSG_SIZE_TOO_LARGE], "a record over max.message.bytes")
    admin = AdminClient({"bootstrap.servers": broker.address})
    for name, partitions, expected in (("small", 1, KafkaError.TOPIC_ALREADY_EXISTS), ("bad name", 1, KafkaError.TOPIC_EXCEPTION)):
        try:
            admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
            code = None
        except KafkaException as error:
            code = error.args[0].code()
        equal(code, expected, f"creating {name!r}")


@case
def log_append_time(context):
    broker = context.shared
    create(broker, "stamped", **{"message.timestamp.type": "LogAppendTime"})
    before = int(time.time() * 1000)
    producer = Producer({"bootstrap.servers": broker.address})
    producer.produce("stamped", value=b"v", timestamp=1_000_000)
    equal(producer.flush(30), 0, "records left unsent")
    reader = consumer(broker)
    reader.assign([TopicPartition("stamped", 0, 0)])
    kind, stamp = take(reader, 1)[0].timestamp()
    equal(kind, 2, "the kind of timestamp (2 is log append time)")
    assert before <= stamp <= int(time.time() * 1000), f"stamped {stamp}, produced after {before}"
    reader.close()


@case
def describe_configs(context):
    broker = context.shared
    create(broker, "described", **{"retention.ms": "86400000"})
    admin = AdminClient({"bootstrap.servers": broker.address})
    resource = ConfigResource(ConfigResource.Type.TOPIC, "described")
    found = admin.describe_configs([resource])[resource].result(30)
    equal(found["retention.ms"].value, "86400000", "retention.ms")
    equal(found["retention.ms"].is_default, False, "retention.ms is the default")
    equal(found["segment.bytes"].value, "1073741824", "segment.bytes")


main("confluent-kafka")
