"""Rows of the benchmark about many partitions, and about what else goes on while records are produced."""

import contextlib
import os
import time

from broker import Broker
from measure import metrics, resident
from member import offsets
from rows import Result, interleaved, medians, ratio, row
from systems import drop, drop_caches, fetch, reading, send, sending, until_led
from wire import Connection, create_topic

TOPICS, PARTITIONS_EACH = 10, 1000
# Segment files that a shard keeps open, and what one has beside them: log files, rings, listeners, connections.
CACHED_PER_SHARD, BESIDE = 1000, 64
STOP_S = 600


@row("partitions-10000")
def ten_thousand(bench):
    """Created, produced to, stopped cleanly and started; produced to, killed and started; produced to once more."""
    each = PARTITIONS_EACH // 5 if bench.quick else PARTITIONS_EACH
    count, found = TOPICS * each, {}
    for name in ("sync", "kafka"):
        broker = Broker("kafka", timeout=STOP_S) if name == "kafka" else Broker(shards=bench.shards, release=True, timeout=STOP_S)
        try:
            found[name] = _life_of_many(broker.start(), each)
        finally:
            broker.kill()
            broker.remove()
    both = lambda key: {name: one[key] for name, one in found.items()}
    more = {f"{name} {key}": round(one[key], 1) for key in ("create, s", "to all, s", "stop, s") for name, one in found.items()}
    yield Result(f"{count} partitions: ready after a clean stop", "ms", both("clean"), None, 3000, detail=more)
    yield Result(f"{count} partitions: ready after a kill", "ms", both("killed"), None, 10000)
    descriptors = both("descriptors")
    beyond = max(0, descriptors["sync"] - CACHED_PER_SHARD * bench.shards)
    yield Result(f"{count} partitions: descriptors beyond the cache of {CACHED_PER_SHARD * bench.shards}", "", {"sync": beyond}, None, BESIDE,
                 detail={f"{name} open": n for name, n in descriptors.items()})
    yield Result(f"{count} partitions: resident for each", "KiB", both("created"), None, detail={
        f"{name} {what}": round(one[key], 1) for name, one in found.items() for key, what in (("written", "written to"), ("restarted", "after a start"))})


def _life_of_many(broker, each):
    names, count = [f"many-{number}" for number in range(TOPICS)], TOPICS * each
    produced = 0

    def to_all(times):
        """So many records to each partition, a hundred partitions a request; the seconds that it took."""
        nonlocal produced
        sent = send(broker, ",".join(names), each, 200, 100, times * count * 171, connections=1, together=100)
        produced += sent["records"]
        return sent["seconds"]
    empty, found = _settled(broker), {}
    began = time.monotonic()
    with Connection(broker.address, timeout=STOP_S) as connection:
        for name in names:
            code = create_topic(connection, name, each)
            assert code == 0, f"creating {name}: error {code}"
    found["create, s"] = time.monotonic() - began
    produced += until_led(broker, names[-1], each, STOP_S)
    per_partition = lambda: (_settled(broker) - empty) / count / 1024
    found["created"] = per_partition()
    found["to all, s"] = to_all(1)
    to_all(10)
    found["written"], open_now = per_partition(), [_descriptors(broker)]
    began = time.monotonic()
    broker.stop(STOP_S)
    found["stop, s"] = time.monotonic() - began
    found["clean"] = broker.start().started_ms
    found["restarted"] = per_partition()
    open_now.append(_descriptors(broker))
    produced += until_led(broker, names[-1], each, STOP_S)
    to_all(5)
    broker.kill()
    found["killed"] = broker.start().started_ms
    produced += until_led(broker, names[-1], each, STOP_S)
    open_now.append(_descriptors(broker))
    if broker.kind != "kafka":
        to_all(1)
        # Read from everywhere, which opens files.
        read = sum(fetch(broker, name, each, max_bytes=8 << 20)["records"] for name in names)
        assert read == produced, f"{read} of {produced} records are there"
        open_now.append(_descriptors(broker))
    found["descriptors"] = max(open_now)
    return found


def _descriptors(broker):
    return len(os.listdir(f"/proc/{broker.pid}/fd"))


def _settled(broker):
    time.sleep(2)
    return resident(broker.pid)


# What else goes on

BAR = 1.5
MEMORY = 256 << 20
RATE, SECONDS = 20_000, 12
# The second sender of a pair of loads, of which one is worked on and the other is not.
OTHER_RATE = 10_000
SEGMENTS = {"segment.bytes": 16 << 20, "file.delete.delay.ms": 1000}
RETAINED = SEGMENTS | {"retention.bytes": 16 << 20}
COMPACTED = SEGMENTS | {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": 0.01}
OVERRIDES = {"odradek.memory": MEMORY, "log.retention.check.interval.ms": 500, "log.cleaner.backoff.ms": 200, "log.segment.delete.delay.ms": 1000}


@row("beside-retention")
def beside_retention(bench):
    yield _beside(bench, "with retention running", Beside.with_other, "retained", "kept")


@row("beside-compaction")
def beside_compaction(bench):
    yield _beside(bench, "with compaction running", Beside.with_other, "compacted", "kept-keyed")


@row("beside-backlog")
def beside_backlog(bench):
    yield _beside(bench, "while a backlog of twice the cache is drained", Beside.with_reader, "backlog", "alone")


def _beside(bench, what, measure, with_, without):
    """The p99 of produced batches while something else works, against the same load without."""
    with Broker(shards=bench.shards, release=True, overrides=OVERRIDES) as broker:
        beside = Beside(broker, SECONDS // 2 if bench.quick else SECONDS)
        found = interleaved(bench.rounds, [with_, without], lambda kind: measure(beside, kind))
    name = f"produce p99 {what}"
    detail = {f"{kind} {key}": round(value, 2) for key in ("p50_ms", "max_ms", "records_per_second") for kind, value in medians(found, key).items()}
    return Result(name, "ms", medians(found, "p99_ms"), ratio(found, "p99_ms", with_, without), BAR, of="without", detail=detail)


class Beside:
    def __init__(self, broker, seconds):
        self.broker, self.seconds, self.number = broker, seconds, 0

    def create(self, kind, configs):
        self.number += 1
        name = f"{kind}-{self.number}"
        with Connection(self.broker.address) as connection:
            code = create_topic(connection, name, 4, configs)
            assert code == 0, f"creating {name}: error {code}"
        return name

    def measured(self, name):
        return send(self.broker, name, 4, 16384, 1000, 0, seconds=self.seconds, rate=RATE)

    def with_other(self, kind):
        """A second topic is written to as well; it is cleaned, compacted, or neither."""
        configs = {"retained": RETAINED, "compacted": COMPACTED}.get(kind, SEGMENTS)
        keyed = kind in ("compacted", "kept-keyed")
        name, other = self.create("measured", SEGMENTS), self.create(kind, configs)
        # So that there is something to work on from the beginning.
        send(self.broker, other, 4, 16384, 1000, 128 << 20, keyed=keyed)
        cleanings = metrics(self.broker.admin)["odradek_cleanings_total"]
        with sending(self.broker, other, 4, 16384, 1000, seconds=self.seconds + 2, rate=OTHER_RATE, keyed=keyed):
            found = self.measured(name)
        if kind == "compacted":
            assert metrics(self.broker.admin)["odradek_cleanings_total"] > cleanings, "nothing was compacted meanwhile"
        if kind == "retained":
            with Connection(self.broker.address) as connection:
                assert all(start > 0 for start in offsets(connection, other, 4, -2).values()), "nothing was removed meanwhile"
        for topic in (name, other):
            drop(self.broker, topic)
        return found

    def with_reader(self, kind):
        """A reader takes the backlog again and again, the first time from the disk, or nobody does."""
        name, backlog = self.create("measured", SEGMENTS), self.create("backlog", SEGMENTS)
        send(self.broker, backlog, 4, 65536, 1000, 2 * MEMORY)
        drop_caches()
        with reading(self.broker, backlog, 4) if kind == "backlog" else contextlib.nullcontext():
            found = self.measured(name)
        for topic in (name, backlog):
            drop(self.broker, topic)
        return found
