"""Compacted topics: the log shrinks, kafka-dump-log reads what is left, and a real Kafka that is given the same records keeps the same."""

import os, re, shutil, sys, pathlib, random, time
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from broker import SCRATCH, Broker, kafka
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


def read(broker, topic, isolation="read_committed"):
    """Offset, key, value and time of every record that is left."""
    reader = Consumer({"bootstrap.servers": broker.address, "group.id": "unused", "enable.auto.commit": False, "isolation.level": isolation,
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


@case
def kafkas_own_compaction_tester_passes(context):
    """It produces records of keys that come again, with deletions among them, consumes what is left, and compares the latest of each."""
    messages = 2_000_000 if os.environ.get("ODRADEK_LONG") else 300_000
    settings = {**CLEANER, "log.segment.bytes": 1048576, "log.cleaner.min.cleanable.ratio": 0.01}
    broker = context.broker(overrides=settings).start()
    told = kafka("log-compaction-tester", "--bootstrap-server", broker.address, "--messages", messages, "--duplicates", 5,
                 "--percent-deletes", 10, "--topics", 2, "--sleep", 10, timeout=600).stdout
    for file in re.findall(r"messages to (\S+)|requests to (\S+)", told):
        pathlib.Path("".join(file)).unlink(missing_ok=True)
    contains(told, "Data verification is completed")
    contains(told, " 0 mismatches")
    [left] = re.findall(r"of data produced, (\d+) rows of data consumed", told)
    assert 0 < int(left) < messages * 2 // 3, f"{left} records are left of {messages}: {told}"
    broker.stop()
    broker.remove()


BATCH = re.compile(r"^baseOffset: (\d+) lastOffset: (\d+) count: (\d+) .*producerId: (-?\d+) .*isTransactional: (\w+) isControl: (\w+) deleteHorizonMs: (\S+)", re.M)
RECORD = re.compile(r"^\| offset: (\d+) .*?(?:endTxnMarker: (\w+)|key: (\S+))", re.M)


def transactions(broker, topic):
    """Transactions of two producers by turns, each third aborted; then enough without for the segments of all of them to be rolled."""
    kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", topic, "--partitions", 1,
          *(part for key, value in {"cleanup.policy": "compact", "segment.bytes": 1048576, "min.cleanable.dirty.ratio": 0.01,
                                    "min.compaction.lag.ms": 86400000}.items() for part in ("--config", f"{key}={value}")))
    producers = [Producer({"bootstrap.servers": broker.address, "transactional.id": f"id-{n}", "linger.ms": 5}) for n in range(2)]
    for producer in producers:
        producer.init_transactions(60)
    draw = random.Random(topic)
    for number in range(12):
        producer = producers[number % 2]
        producer.begin_transaction()
        for n in range(300):
            producer.produce(topic, key=b"%d" % draw.randrange(60), value=b"%d " % number + draw.randbytes(1000), partition=0)
            producer.poll(0)
        equal(producer.flush(60), 0, "records left unsent")
        producer.abort_transaction(60) if number % 3 == 1 else producer.commit_transaction(60)
    rolled(broker, topic, "after")


def rolled(broker, topic, prefix, at=None):
    """Enough for a few segments, of keys of their own; `at` makes every broker's the same."""
    at = at or int(time.time() * 1000)
    producer = Producer({"bootstrap.servers": broker.address, "batch.num.messages": 1, "enable.idempotence": True})
    for n in range(250):
        producer.produce(topic, key=b"%s-%d" % (prefix.encode(), n % 5), value=b"%06d" % n + bytes(VALUE_BYTES), partition=0, timestamp=at + n)
        producer.poll(0)
    equal(producer.flush(60), 0, "records left unsent")


def compacted(broker, topic, retention):
    """The cleaner is let loose; everything that is left when it has come to rest, as a reader of each isolation gets it."""
    kafka("configs", "--bootstrap-server", broker.address, "--alter", "--entity-type", "topics", "--entity-name", topic,
          "--add-config", f"min.compaction.lag.ms=0,delete.retention.ms={retention}")
    return rested(broker, topic)


def rested(broker, topic):
    until, before, same = time.monotonic() + 90, None, 0
    while same < 5:
        assert time.monotonic() < until, f"{topic} does not come to rest"
        time.sleep(1)
        now = [read(broker, topic, level) for level in ("read_uncommitted", "read_committed")]
        same, before = same + 1 if now == before and len(now[0]) < 2000 else 0, now
    return before


def in_files(broker, topic):
    """Batches and records of all but the active segment, control batches and empty ones, too."""
    files = sorted((broker.topics / f"{topic}-0").glob("*.log"))
    text = dump(files[:-1], "--deep-iteration", "--print-data-log")
    batches = [(*found[:6], found[6] != "OptionalLong.empty") for found in BATCH.findall(text)]
    return batches, RECORD.findall(text)


@case
def aborted_transactions_of_kafka_go_as_in_kafka(context):
    """A log that Kafka wrote is compacted by Kafka and, as a copy, by the broker. Minutes, so of the long form alone."""
    if context.kind == "kafka" or not os.environ.get("ODRADEK_LONG"):
        return
    written, copy = SCRATCH / "transactions", SCRATCH / "transactions-copy"
    theirs = Broker("kafka", data=written, overrides=CLEANER, timeout=120).start()
    transactions(theirs, "t")
    aborted = len(read(theirs, "t", "read_uncommitted")) - len(read(theirs, "t", "read_committed"))
    equal(aborted, 1200, "records of aborted transactions")
    theirs.stop(120)
    shutil.copytree(written, copy, copy_function=shutil.copy2)
    ours = context.broker(data=copy, overrides=CLEANER).start()
    theirs = Broker("kafka", data=written, overrides=CLEANER, timeout=120).start()
    at = int(time.time() * 1000)
    for retention, controls in ((86400000, 12), (1, 0)):
        for broker in (ours, theirs):
            if retention == 1:
                # A marker goes in the round after the one that gives it its horizon.
                for again in range(2):
                    rolled(broker, "t", f"more-{again}", at + 1000 * again)
                    compacted(broker, "t", retention)
        found, wanted = compacted(ours, "t", retention), compacted(theirs, "t", retention)
        equal(found, wanted, "records that are left")
        if retention > 1:
            equal(len([record for record in found[0] if record not in found[1]]), 0, "records of aborted transactions that are left")
        for broker in (ours, theirs):
            broker.stop(120)
        (batches, records), expected = in_files(ours, "t"), in_files(theirs, "t")
        equal(records, expected[1], "records and markers in the files")
        equal(batches, expected[0], "batches in the files")
        kept = sum(bool(marker) for _, marker, _ in records)
        assert kept <= controls if controls == 0 else kept > 0, f"{kept} markers are left"
        indexes = sorted((ours.topics / "t-0").glob("*.txnindex"))
        if indexes:
            sound(dump(indexes), "transaction indexes")
        for broker in (ours, theirs):
            broker.start()
    for broker in (ours, theirs):
        broker.stop(120)


main("compaction")
