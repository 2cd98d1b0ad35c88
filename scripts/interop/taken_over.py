"""A log directory goes from Kafka to the broker under test and back, again and again: every record, offset and transaction's result stays.

Kafka writes the directories here; what its own consumer API gives then is compared with what the broker gives, and, after the broker
has written to them and stopped, with what Kafka gives again.
"""

import subprocess
import sys, pathlib
import time
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from confluent_kafka import Consumer, KafkaError, OFFSET_BEGINNING, Producer, TopicPartition

from broker import ROOT, SCRATCH, Broker, BrokerError, kafka
from check import LeftOut, case, contains, equal, main
from drivers import kafka_libs

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def wait_for(is_so, what, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.5)


class Directory:
    """A directory that brokers take turns on."""

    def __init__(self, context, name):
        self.context, self.path, self.turn = context, SCRATCH / name, None

    def kafka(self, **overrides):
        self.turn = Broker("kafka", data=self.path, overrides={"log.cleaner.backoff.ms": 300, **overrides}, timeout=120).start()
        return self.turn

    def ours(self):
        self.turn = self.context.broker(data=self.path).start()
        return self.turn

    def back_and_forth(self, topics, before, group=None, at=None):
        """The broker reads what was there `before`, adds to it and stops; Kafka the same; the broker once more. A `group` that has
        committed `at` in the first of the topics reads on in each of them."""
        for start in (self.ours, self.kafka, self.ours):
            broker = start()
            compare(before, everything(broker, topics), type_of(broker))
            for topic in topics:
                if not topic.startswith("__"):
                    fill(broker, topic, 50, codec="lz4")
            if group:
                equal(committed(broker, topics[0], group), at, f"what {type_of(broker)} has of the group")
                commit(broker, topics[0], group, 20)
                at = committed(broker, topics[0], group)
            before = everything(broker, topics)
            offsets = offsets_of(broker, topics)
            broker.stop()
        broker = self.kafka()
        compare(before, everything(broker, topics), "Kafka in the end")
        equal(offsets_of(broker, topics), offsets, "first and last offsets")
        if group:
            equal(committed(broker, topics[0], group), at, "what Kafka has of the group in the end")
        broker.stop()
        broker.remove()


def type_of(broker):
    return "Kafka" if broker.kind == "kafka" else "the broker"


def create(broker, topic, partitions=2, **config):
    options = [part for key, value in config.items() for part in ("--config", f"{key}={value}")]
    kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", topic, "--partitions", partitions, *options)


def fill(broker, topic, count, codec="none", size=300, partitions=2, keys=None, **config):
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 0, "compression.type": codec, "linger.ms": 2, "batch.size": 8000, **config})
    if "transactional.id" in config:
        producer.init_transactions(30)
        producer.begin_transaction()
    for n in range(count):
        key = b"%d" % (n % (keys or count))
        producer.produce(topic, key=key, value=b"%06d" % n + bytes((n * k) % 251 for k in range(size)), partition=n % partitions)
        producer.poll(0)
    equal(producer.flush(60), 0, "records left unsent")
    return producer


def commit(broker, topic, group, count):
    """A group reads so much, and commits."""
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    equal(len(consumer.consume(count, 60)), count, "records of a group")
    consumer.commit(asynchronous=False)
    consumer.close()


def committed(broker, topic, group):
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": group})
    found = consumer.committed([TopicPartition(topic, p) for p in range(2)], timeout=30)
    consumer.close()
    return [p.offset for p in found]


def everything(broker, topics):
    """{isolation: {(topic, partition): [(offset, key, value, timestamp)]}}"""
    return {isolation: read(broker, topics, isolation) for isolation in ("read_uncommitted", "read_committed")}


def read(broker, topics, isolation):
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "unused", "enable.auto.commit": False, "enable.partition.eof": True,
                         "isolation.level": isolation, "check.crcs": True})
    known = consumer.list_topics(timeout=20).topics
    places = [TopicPartition(topic, p, OFFSET_BEGINNING) for topic in topics for p in known[topic].partitions]
    consumer.assign(places)
    found, open_ = {(p.topic, p.partition): [] for p in places}, len(places)
    while open_:
        message = consumer.poll(20)
        assert message is not None, f"nothing more came, and {open_} partitions have not ended"
        if message.error():
            equal(message.error().code(), KafkaError._PARTITION_EOF, "error of a fetch")
            open_ -= 1
            continue
        record = (message.offset(), message.key(), message.value(), message.timestamp())
        found[message.topic(), message.partition()].append(record)
    consumer.close()
    return found


def offsets_of(broker, topics):
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "unused"})
    known = consumer.list_topics(timeout=20).topics
    places = [TopicPartition(topic, p) for topic in topics for p in known[topic].partitions]
    found = {(p.topic, p.partition): consumer.get_watermark_offsets(p, timeout=20) for p in places}
    consumer.close()
    return found


def latest(records):
    """What compaction must keep: of each key the last record, at its offset."""
    return sorted({key: (offset, key, value, time) for offset, key, value, time in records}.values())


def compare(before, after, who):
    for isolation, partitions in before.items():
        for place, records in partitions.items():
            got = after[isolation][place]
            if place[0].startswith("compacted"):
                records, got = latest(records), latest(got)
            equal(len(got), len(records), f"records of {place} as {who} gives them, {isolation}")
            for expected, record in zip(records, got, strict=True):
                equal(record, expected, f"a record of {place} as {who} gives it, {isolation}")


@case
def codecs_segments_and_a_moved_start(context):
    directory = Directory(context, "codecs")
    broker = directory.kafka()
    create(broker, "mixed")
    create(broker, "rolled", **{"segment.bytes": 1048576, "index.interval.bytes": 1024})
    for codec in CODECS:
        fill(broker, "mixed", 500, codec=codec, **{"enable.idempotence": codec != "gzip"})
    fill(broker, "rolled", 6000, size=1000)
    moves = SCRATCH / "moves.json"
    moves.write_text('{"version":1,"partitions":[{"topic":"rolled","partition":0,"offset":1700}]}')
    kafka("delete-records", "--bootstrap-server", broker.address, "--offset-json-file", moves)
    commit(broker, "mixed", "readers", 800)
    topics = ["mixed", "rolled", "__consumer_offsets"]
    before = everything(broker, topics)
    equal(before["read_committed"]["rolled", 0][0][0], 1700, "first offset after delete-records")
    assert any(before["read_committed"]["__consumer_offsets", p] for p in range(50)), "no group has committed"
    at = committed(broker, "mixed", "readers")
    equal(sum(max(offset, 0) for offset in at), 800, "what the group has committed")
    broker.stop()
    directory.back_and_forth(topics, before, "readers", at)


@case
def compacted_topics(context):
    directory = Directory(context, "compacted")
    broker = directory.kafka()
    config = {"cleanup.policy": "compact", "segment.bytes": 1048576, "min.cleanable.dirty.ratio": 0.01, "delete.retention.ms": 0}
    create(broker, "compacted", **config)
    for codec in ("none", "zstd"):
        fill(broker, "compacted", 4000, codec=codec, size=1000, keys=100)
    wait_for(lambda: sum(map(len, read(broker, ["compacted"], "read_committed").values())) < 5000, "Kafka's cleaner")
    before = everything(broker, ["compacted"])
    equal([len(latest(found)) for found in before["read_committed"].values()], [50, 50], "keys")
    broker.stop()
    directory.back_and_forth(["compacted"], before)


@case
def transactions(context):
    directory = Directory(context, "transactions")
    broker = directory.kafka(**{"transaction.state.log.num.partitions": 3})
    create(broker, "t", **{"segment.bytes": 1048576})
    for number in range(6):
        producer = fill(broker, "t", 400, size=500, **{"transactional.id": f"id-{number % 2}"})
        producer.abort_transaction(30) if number % 3 == 1 else producer.commit_transaction(30)
    before = everything(broker, ["t"])
    counts = {level: sum(map(len, found.values())) for level, found in before.items()}
    equal(counts, {"read_uncommitted": 2400, "read_committed": 1600}, "records before")
    broker.stop()
    directory.back_and_forth(["t"], before)


@case
def share_groups_see_what_is_committed(context):
    if context.kind == "kafka":
        raise LeftOut("Kafka gives the offsets of markers to members, too")
    directory = Directory(context, "share-transactions")
    broker = directory.kafka(**{"transaction.state.log.num.partitions": 3})
    create(broker, "t", **{"segment.bytes": 1048576})
    for number in range(6):
        producer = fill(broker, "t", 400, size=500, **{"transactional.id": f"id-{number % 2}"})
        producer.abort_transaction(30) if number % 3 == 1 else producer.commit_transaction(30)
    broker.stop()
    broker = directory.ours()
    libs, classes = kafka_libs(), SCRATCH / "share-classes"
    classes.mkdir(exist_ok=True)
    sources = [*sorted((ROOT / "scripts/compat").glob("*.java")), ROOT / "scripts/interop/java/ShareIsolation.java"]
    subprocess.run(["javac", "-nowarn", "-d", str(classes), "-cp", f"{libs}/*", *map(str, sources)], check=True)
    command = ["java", "-Xmx256M", "-cp", f"{classes}:{libs}/*", "ShareIsolation", broker.address.rsplit(":", 1)[1], "t", "2"]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout
    equal(told.split(), ["read_committed", "1600", "read_uncommitted", "2400"], "records")
    broker.stop()
    broker.remove()


@case
def an_open_transaction_stays_open(context):
    directory = Directory(context, "open")
    broker = directory.kafka()
    create(broker, "t", partitions=1)
    fill(broker, "t", 100, partitions=1)
    left = fill(broker, "t", 50, partitions=1, **{"transactional.id": "left", "transaction.timeout.ms": 600000})
    fill(broker, "t", 30, partitions=1)
    before = everything(broker, ["t"])
    counts = {level: sum(map(len, found.values())) for level, found in before.items()}
    equal(counts, {"read_uncommitted": 180, "read_committed": 100}, "records before")
    broker.stop()
    del left
    broker = directory.ours()
    compare(before, everything(broker, ["t"]), type_of(broker))
    broker.stop()
    broker.remove()


@case
def a_move_that_kafka_has_not_ended_goes_on(context):
    if context.kind == "kafka":
        return
    root = SCRATCH / "unended"
    first, second = root / "first", root / "second"
    first.mkdir(parents=True)
    dirs = {"log.dirs": f"{first},{second}"}
    broker = Broker("kafka", data=first, overrides={**dirs, "replica.alter.log.dirs.io.max.bytes.per.second": 200_000}, timeout=120).start()
    create(broker, "t", partitions=1, **{"segment.bytes": 1048576})
    fill(broker, "t", 6000, partitions=1, size=1000)
    home, other = (first, second) if (first / "t-0").is_dir() else (second, first)
    plan = root / "plan.json"
    plan.write_text('{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[1],"log_dirs":["%s"]}]}' % other)
    kafka("reassign-partitions", "--bootstrap-server", broker.address, "--reassignment-json-file", plan, "--execute",
          "--replica-alter-log-dirs-throttle", 200000)
    wait_for(lambda: any(log.stat().st_size for log in other.glob("t-0.*-future/*.log")), "the future log's first bytes")
    before = everything(broker, ["t"])
    broker.stop()
    [future] = other.glob("t-0.*-future")
    assert (home / "t-0").is_dir(), "the move has ended"
    broker = context.broker(overrides=dirs, data=first).start()
    compare(before, everything(broker, ["t"]), type_of(broker))
    wait_for(lambda: (other / "t-0").is_dir() and not (home / "t-0").exists(), "the move's end")
    assert not future.exists()
    compare(before, everything(broker, ["t"]), f"{type_of(broker)}, where it was to go,")
    broker.stop()
    broker = Broker("kafka", data=first, overrides=dirs, timeout=120).start()
    compare(before, everything(broker, ["t"]), "Kafka in the end")
    broker.stop()


@case
def what_is_not_left_cleanly_is_refused(context):
    directory = Directory(context, "killed")
    broker = directory.kafka()
    create(broker, "t")
    fill(broker, "t", 100)
    broker.kill()
    if context.kind == "kafka":
        return
    contains(refusal(directory), "start Kafka on it once more")
    broker = directory.kafka()
    equal(sum(map(len, read(broker, ["t"], "read_committed").values())), 100, "records that Kafka recovers")
    broker.stop()
    broker = directory.ours()
    equal(sum(map(len, read(broker, ["t"], "read_committed").values())), 100, "records then")
    broker.stop()
    broker.remove()


@case
def what_is_refused_is_left_as_it_is(context):
    if context.kind == "kafka":
        return
    directory = Directory(context, "refused")
    broker = directory.kafka()
    create(broker, "t", **{"local.retention.ms": "1000"})
    fill(broker, "t", 100)
    broker.stop()
    before = content(directory.path)
    for _ in range(2):
        contains(refusal(directory), "topics have configs that are not served: t: ")
        equal(content(directory.path), before, "files after the refusal")
    broker = directory.kafka()
    kafka("configs", "--bootstrap-server", broker.address, "--alter", "--entity-type", "topics", "--entity-name", "t", "--delete-config", "local.retention.ms")
    broker.stop()
    broker = directory.ours()
    equal(sum(map(len, read(broker, ["t"], "read_committed").values())), 100, "records after the fix")
    broker.stop()
    broker.remove()


@case
def kafka_after_a_crash_of_ours_is_noticed(context):
    if context.kind == "kafka":
        return
    directory = Directory(context, "diverged")
    broker = directory.kafka()
    create(broker, "t", partitions=1)
    fill(broker, "t", 100, partitions=1)
    broker.stop()
    broker = directory.ours()
    fill(broker, "t", 70, partitions=1)
    broker.kill()
    # It cannot know of the 70, which are in our commit log.
    broker = directory.kafka()
    fill(broker, "t", 30, partitions=1)
    kafkas = everything(broker, ["t"])
    broker.kill()
    contains(refusal(directory), "Kafka ran on this directory after Odradek had stopped uncleanly")
    broker = directory.kafka()
    broker.stop()
    contains(refusal(directory), "Kafka ran on")
    for file in directory.path.glob("odradek-*"):
        file.unlink()
    broker = directory.ours()
    compare(kafkas, everything(broker, ["t"]), "the broker, which goes on with what Kafka has")
    broker.stop()
    broker.remove()


def refusal(directory):
    try:
        directory.ours()
    except BrokerError as error:
        return str(error)
    raise AssertionError("it started")


def content(path):
    """Of every file but those that say who runs."""
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file() and file.name not in ("kafka.log", ".lock")}


main("taken-over")
