"""kafka-dump-log over everything that the broker wrote: sealed segments while it runs, all files after a clean stop.

The tool says most faults in its output and exits with 0, so its output is searched; and it repairs some files, so it works on copies.
"""

import re
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from confluent_kafka import Producer

from broker import kafka
from check import case, equal, main
from dump import dump, sound

PARTITIONS = 4
# Two segments and a half for each partition: the newest may still have no file of its own.
RECORDS = 24000


def fill(broker, topic, codec, **config):
    settings = [part for key, value in config.items() for part in ("--config", f"{key}={value}")]
    kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", topic, "--partitions", PARTITIONS, *settings)
    producer = Producer({"bootstrap.servers": broker.address, "compression.type": codec, "linger.ms": 5, "batch.size": 30000,
                         "enable.idempotence": True})
    for n in range(RECORDS):
        producer.produce(topic, value=b"%08d" % n + bytes((n * k) % 251 for k in range(400)), key=b"%d" % n, partition=n % PARTITIONS)
        producer.poll(0)
    equal(producer.flush(60), 0, "records left unsent")


def counted(text):
    return sum(int(n) for n in re.findall(r"^baseOffset: .* count: (-?\d+)", text, re.M))


def codecs(text):
    return set(re.findall(r"compresscodec: (\w+)", text))


@case
def segments_and_indexes(context):
    broker = context.broker().start()
    sizes = {"segment.bytes": 1048576, "index.interval.bytes": 4096}
    for codec in ("none", "zstd", "snappy"):
        fill(broker, f"dump-{codec}", codec, **sizes)
    sealed = [f for p in broker.topics.glob("dump-*") for f in sorted(p.glob("*.log"))[:-1]]
    assert len(sealed) >= PARTITIONS, f"only {len(sealed)} sealed segments: nothing rolled"
    text = dump(sealed, "--deep-iteration")
    sound(text, "sealed segments while the broker runs")
    assert counted(text) > 0, "no batch was printed"
    indexes = [f.with_suffix(s) for f in sealed for s in (".index", ".timeindex")]
    check_indexes(indexes)
    broker.stop()
    partitions = sorted(p for p in broker.topics.glob("dump-*") if p.is_dir())
    equal(len(partitions), 3 * PARTITIONS, "partition directories")
    check_after_a_clean_stop(broker, partitions)
    broker.remove()


def check_indexes(files):
    """Prints and verifies; a sealed segment of these sizes has entries in both indexes."""
    text = dump(files)
    sound(text, "indexes")
    empty = [f.name for f in files if f.stat().st_size == 0]
    equal(empty, [], "empty indexes")
    sound(dump(files, "--index-sanity-check"), "indexes (sanity check)")
    sound(dump(files, "--verify-index-only"), "indexes (verify only)")


def check_after_a_clean_stop(broker, partitions):
    for codec in ("none", "zstd", "snappy"):
        text = dump([f for p in partitions if codec in p.name for f in sorted(p.glob("*.log"))], "--deep-iteration")
        sound(text, f"all segments ({codec})")
        equal(counted(text), RECORDS, f"records ({codec})")
        equal(codecs(text), {codec}, "codec stored")
    check_indexes([f.with_suffix(s) for p in partitions for f in sorted(p.glob("*.log"))[:-1] for s in (".index", ".timeindex")])
    sound(dump([f for p in partitions for f in (*p.glob("*.index"), *p.glob("*.timeindex"))]), "every index")
    snapshots = [f for p in partitions for f in p.glob("*.snapshot")]
    text = dump(snapshots)
    sound(text, "producer snapshots")
    assert len(re.findall(r"^producerId: \d+", text, re.M)) >= len(partitions), f"too few producers:\n{text[:2000]}"
    metadata = broker.topics / "__cluster_metadata-0"
    text = dump(sorted(metadata.glob("*.log")), "--cluster-metadata-decoder")
    sound(text, "the metadata log")
    for kind in ("TOPIC_RECORD", "PARTITION_RECORD", "CONFIG_RECORD", "REGISTER_BROKER_RECORD", "PRODUCER_IDS_RECORD", "FEATURE_LEVEL_RECORD"):
        assert f'"type":"{kind}"' in text, f"no {kind} in the metadata log"
    equal(text.count('"type":"TOPIC_RECORD"'), 3, "topic records")
    checkpoints = sorted(metadata.glob("*.checkpoint"))
    assert checkpoints, "no metadata snapshot"
    text = dump(checkpoints, "--cluster-metadata-decoder")
    sound(text, "metadata snapshots")
    assert "SnapshotHeader" in text and "SnapshotFooter" in text, text[:1500]


main("dump-log")
