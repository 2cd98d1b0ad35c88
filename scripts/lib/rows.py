"""The rows of the benchmark's table: what each measures, and its bar.

A row yields figures by system, round by round, with the systems in turn within each round; its ratio is the median of the
rounds' ratios. `@row` names it for `--only`.
"""

import statistics
from dataclasses import dataclass, field

from systems import GIB, drop, fetch, send, stock, topic

ROWS = {}


@dataclass
class Result:
    """One line of the table. `figures` are medians by system; `ratio` compares the first two, `bar` is what it must hold."""
    name: str
    unit: str
    figures: dict
    ratio: float | None = None
    bar: float | None = None
    at_least: bool = False
    of: str = ""
    detail: dict = field(default_factory=dict)

    @property
    def holds(self):
        if self.bar is None:
            return None
        value = self.ratio if self.ratio is not None else next(iter(self.figures.values()))
        return value >= self.bar if self.at_least else value <= self.bar


def row(name):
    def register(function):
        ROWS[name] = function
        return function
    return register


def interleaved(rounds, systems, measure):
    """{system: [figure, ..]}; a round begins with another system each time, so that none has a place of its own."""
    found = {name: [] for name in systems}
    for number in range(rounds):
        order = systems[number % len(systems):] + systems[:number % len(systems)]
        for name in order:
            found[name].append(measure(name))
    return found


def medians(found, key):
    return {name: statistics.median(one[key] for one in all_) for name, all_ in found.items() if all_}


def ratio(found, key, ours, theirs):
    return statistics.median(a[key] / max(b[key], 1e-9) for a, b in zip(found[ours], found[theirs]))


# Produce: the stock tool against Odradek in both durabilities, Kafka, and the least that a broker could do for it


def _produce(bench, name, records, size, properties, bar, least=True):
    systems = ["sync", "written", "kafka"] + (["roofline"] if least else [])
    for system in systems:
        topic(bench.systems[system], name, 6)
    found = interleaved(bench.rounds, systems, lambda s: stock(bench.systems[s], name, bench.scaled(records), size, properties))
    for system in systems:
        drop(bench.systems[system], name)
    rates = {f"{s} MB/s": round(v) for s, v in medians(found, "mb").items()}
    machine = {f"{s} machine": round(v, 2) for s, v in medians(found, "machine_per_gib").items()}

    def against(label, ours, theirs, of, bar=None, detail=None):
        middle = medians(found, "cpu_per_gib")
        return Result(f"{name}, {label}", "CPU-s/GiB", {s: middle[s] for s in (ours, theirs)}, ratio(found, "cpu_per_gib", ours, theirs),
                      bar, of=of, detail=detail or {})

    yield against("sync", "sync", "kafka", "Kafka", bar, rates | machine)
    yield against("written", "written", "kafka", "Kafka", bar)
    if least:
        yield against("sync to roofline", "sync", "roofline", "roofline")
        yield against("roofline", "roofline", "kafka", "Kafka")


@row("produce-16k")
def produce_16k(bench):
    yield from _produce(bench, "produce-16k", 400_000, 1000, [], 0.15)


@row("produce-1m")
def produce_1m(bench):
    yield from _produce(bench, "produce-1m", 700_000, 1000, ["batch.size=1000000", "linger.ms=20"], 0.2)


@row("produce-100b")
def produce_100b(bench):
    yield from _produce(bench, "produce-100b", 2_000_000, 100, [], 0.2)


@row("compression")
def compression(bench):
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        for result in _produce(bench, f"produce-{codec}", 150_000, 1000, [f"compression.type={codec}"], None, least=False):
            yield result


# Produce: prebuilt frames against the roofline


@row("roofline")
def roofline(bench):
    sizes = [("16k", 16384, 1.5, 1.8, ["sync", "roofline"]), ("128k", 131072, 2, None, ["sync", "roofline"]),
             ("1m", 1_040_000, 3, 1.8, ["sync", "sync-no-extents", "roofline"])]
    for label, batch, gibibytes, bar, systems in sizes:
        name = f"frames-{label}"
        for system in systems:
            topic(bench.systems[system], name, 6)
        found = interleaved(bench.rounds, systems, lambda s: send(bench.systems[s], name, 6, batch, 1000, bench.scaled(int(gibibytes * GIB))))
        for system in systems:
            drop(bench.systems[system], name)
        middle = medians(found, "cpu_per_gib")
        detail = {f"{s} MB/s": round(v) for s, v in medians(found, "mb_per_second").items()}
        detail |= {f"{s} machine": round(v, 2) for s, v in medians(found, "machine_per_gib").items()}
        for ours in systems[:-1]:
            figures = {s: middle[s] for s in (ours, "roofline")}
            yield Result(f"{name}, {ours}", "CPU-s/GiB", figures, ratio(found, "cpu_per_gib", ours, "roofline"),
                         bar if ours == "sync" else None, of="roofline", detail=detail if ours == "sync" else {})
    bench.systems.end("sync-no-extents")


# Throughput and latency: of the second half of each run


def _steady(bench, system, name, records, throughput=-1):
    records = bench.scaled(records)
    return stock(bench.systems[system], name, records, 1000, [], throughput=throughput, warm_up=records // 2)


@row("partitions")
def partitions(bench):
    for count in (1, 100, 1000):
        name = f"partitions-{count}"
        systems = ["sync", "kafka"]
        for system in systems:
            topic(bench.systems[system], name, count)
        found = interleaved(bench.rounds, systems, lambda s: _steady(bench, s, name, 1_000_000))
        reached = medians(found, "rate")
        yield Result(f"{name}: throughput", "records/s", reached, ratio(found, "rate", "sync", "kafka"), 0.95, at_least=True, of="Kafka")
        fixed = 40_000 if count < 1000 else int(reached["kafka"] / 2)
        found = interleaved(bench.rounds, systems, lambda s: _steady(bench, s, name, fixed * 16, throughput=fixed))
        detail = {f"{s} {k}": v for k in ("p50", "p999", "rate") for s, v in medians(found, k).items()}
        # The tool prints whole milliseconds: below one they are the same.
        for one in (*found["sync"], *found["kafka"]):
            one["p99"] = max(one["p99"], 1.0)
        yield Result(f"{name}: p99 at {fixed} records/s", "ms", medians(found, "p99"), ratio(found, "p99", "sync", "kafka"), 1.0, of="Kafka", detail=detail)
        for system in systems:
            drop(bench.systems[system], name)


@row("flush")
def flush(bench):
    """Both durable: sync against Kafka with a flush for each message."""
    name, systems = "flushed", ["sync", "kafka-flush"]
    for system in systems:
        topic(bench.systems[system], name, 1)
    counts = {"sync": 1_000_000, "kafka-flush": 100_000}
    # One record a batch: a flush a message, on both sides.
    found = interleaved(bench.rounds, systems, lambda s: _steady(bench, s, name, counts[s]))
    for system in systems:
        drop(bench.systems[system], name)
    yield Result("flush for each message, 1 partition", "records/s", medians(found, "rate"), ratio(found, "rate", "sync", "kafka-flush"), 10, at_least=True, of="Kafka")


# Fetch


@row("fetch")
def fetching(bench):
    systems, size = ["sync", "kafka"], bench.scaled(1 * GIB)
    for system in systems:
        topic(bench.systems[system], "fetched", 4)

    def tail(system):
        """What was just produced, read at once."""
        one = bench.systems[system]
        topic(one, "tail", 4)
        send(one, "tail", 4, 65536, 1000, size // 2)
        found = fetch(one, "tail", 4)
        assert found["bytes"] >= size // 2, f"{system} gave {found['bytes']} of {size // 2} bytes"
        drop(one, "tail")
        return found

    found = interleaved(bench.rounds, systems, tail)
    detail = {f"{s} MB/s": round(v) for s, v in medians(found, "mb_per_second").items()}
    yield Result("fetch from the tail", "CPU-s/GiB", medians(found, "cpu_per_gib"), ratio(found, "cpu_per_gib", "sync", "kafka"), 0.6, of="Kafka", detail=detail)
    yield from _backlog(bench, systems, size)


def _backlog(bench, systems, size):
    from systems import drop_caches

    for system in systems:
        send(bench.systems[system], "fetched", 4, 65536, 1000, size)
    bench.systems.restart("sync")
    kinds = {"cold": True, "warm": False}
    for kind, cold in kinds.items():
        def one(system):
            if cold:
                drop_caches()
            found = fetch(bench.systems[system], "fetched", 4)
            assert found["bytes"] >= size, f"{system} gave {found['bytes']} of {size} bytes"
            return found
        found = interleaved(bench.rounds, systems, one)
        detail = {f"{s} MB/s": round(v) for s, v in medians(found, "mb_per_second").items()}
        detail |= {f"{s} machine": round(v, 2) for s, v in medians(found, "machine_per_gib").items()}
        yield Result(f"fetch of a backlog, {kind}", "CPU-s/GiB", medians(found, "cpu_per_gib"), ratio(found, "cpu_per_gib", "sync", "kafka"),
                     0.6, of="Kafka", detail=detail)
    for system in systems:
        drop(bench.systems[system], "fetched")
