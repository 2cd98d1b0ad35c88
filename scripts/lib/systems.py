"""The systems that a benchmark compares, all up at once, and what drives them: Kafka's own producer and our `perf`."""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

from broker import SCRATCH, Broker, BrokerError, build, die_with_parent, free_port, kafka
from measure import Usage

GIB = 1 << 30
# Extents are off when no batch is ever this large.
NO_EXTENTS = {"odradek.extent.bytes": 1 << 40}
# Topics that were measured leave the disk soon: see `drop`.
DELETED_SOON = {"log.segment.delete.delay.ms": 1000}


class Roofline:
    """`perf roofline`, with the part of Broker's face that measuring needs."""

    def __init__(self):
        self.kind, self.port = "roofline", free_port()
        self.address = f"127.0.0.1:{self.port}"

    def start(self):
        directory = SCRATCH / "roofline"
        self.process = subprocess.Popen([build("perf", "perf", release=True), "roofline", "--port", str(self.port), "--data", str(directory)],
                                        stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent())
        assert "roofline ready" in self.process.stdout.readline(), "the roofline did not start"
        self.pid = self.process.pid
        return self

    def stop(self):
        self.process.kill()
        self.process.wait()


class Systems:
    """Starts what is asked for, once; `stop` ends all."""

    def __init__(self, shards, only=None):
        self.shards, self.only = shards, only
        self.up = {}

    def __getitem__(self, name):
        if name not in self.up:
            self.up[name] = self._make(name).start()
        return self.up[name]

    def _make(self, name):
        if name == "roofline":
            return Roofline()
        if name.startswith("kafka"):
            return Broker("kafka", overrides=DELETED_SOON | ({"log.flush.interval.messages": 1} if name == "kafka-flush" else {}), timeout=120)
        overrides = DELETED_SOON | {"odradek.durability": "written" if name == "written" else "sync"}
        overrides |= NO_EXTENTS if name == "sync-no-extents" else {}
        return Broker(overrides=overrides, shards=self.shards, release=True)

    def end(self, name):
        if name in self.up:
            self.up.pop(name).stop()

    def restart(self, name):
        """A clean stop and a start on the same data: what was in memory is gone. Only for Odradek: a JIT would have to warm up again."""
        self.up[name].stop()
        self.up[name].start()

    def stop(self):
        """Ends all; answers what did not end well."""
        faults = []
        for name in list(self.up):
            try:
                self.end(name)
            except BrokerError as fault:
                faults.append(f"{name}: {fault}")
        return faults

    def warm_odradek(self, name):
        """What a broker touches once, its memory and its files, it has touched: as much as its tail holds, and then some."""
        topic(self[name], "warm", 4)
        send(self[name], "warm", 4, 1_000_000, 1000, GIB // 2)
        drop(self[name], "warm")

    def warm_kafka(self, name, gibibytes):
        """Kafka takes this much before it is measured, in the sizes that are measured."""
        address = self[name].address
        sizes = [("1m", 1_000_000, 1000, 0.6), ("16k", 16384, 1000, 0.3), ("100", 16384, 100, 0.1)]
        if name == "kafka-flush":
            sizes = [("1m", 1_000_000, 1000, 1.0)]
        for label, batch, record, share in sizes:
            topic(self[name], f"warm-{label}", 4)
            until_led(self[name], f"warm-{label}", 4)
            send(self[name], f"warm-{label}", 4, batch, record, int(gibibytes * share * GIB))
        if name == "kafka":
            stock(self[name], "warm-16k", 200_000, 1000, [])
            subprocess.run([build("perf", "perf", release=True), "fetch", "--address", address, "--topic", "warm-16k", "--partitions", "4"],
                           check=True, stdout=subprocess.DEVNULL)
        for label, *_ in sizes:
            drop(self[name], f"warm-{label}")


def settle():
    """Kafka leaves its pages to the kernel, which writes them out when the next system is measured: nobody waits for another's."""
    os.sync()


def topic(system, name, partitions, **config):
    """Creates a topic; the roofline has any, with 6 partitions for those who ask."""
    if system.kind == "roofline":
        return
    options = [part for key, value in config.items() for part in ("--config", f"{key.replace('_', '.')}={value}")]
    kafka("topics", "--bootstrap-server", system.address, "--create", "--topic", name, "--partitions", partitions, *options)


def drop(system, name):
    """Deletes a topic and waits until its files are gone: a file system that discards what it frees keeps the disk busy for a
    millisecond a MiB, and whoever is measured next would wait for it."""
    if system.kind == "roofline":
        return
    kafka("topics", "--bootstrap-server", system.address, "--delete", "--topic", name)
    until = time.monotonic() + 120
    while any(pathlib.Path(system.topics).glob(f"{name}-*")):
        assert time.monotonic() < until, f"{system.kind} keeps {name}"
        time.sleep(0.2)


CLOSING = re.compile(r"^(?P<records>\d+) (?:steady state )?records sent, (?P<rate>[\d.]+) records/sec \((?P<mb>[\d.]+) MB/sec\), (?P<average>[\d.]+) ms avg latency, "
                     r"(?P<max>[\d.]+) ms max latency, (?P<p50>\d+) ms 50th, (?P<p95>\d+) ms 95th, (?P<p99>\d+) ms 99th, (?P<p999>\d+) ms 99\.9th")


def stock(system, name, records, size, properties, throughput=-1, timeout=600, warm_up=0):
    """kafka-producer-perf-test; what it says at the end, and the CPU that the broker and the machine used. With a warm-up (KIP-1052), what
    it says is of the records after it: the start of the tool's own JVM, which no broker can help, is left out."""
    command = ["--topic", name, "--num-records", records, "--record-size", size, "--throughput", throughput, "--bootstrap-server", system.address]
    command += ["--command-property", *properties] if properties else []
    command += ["--warmup-records", warm_up] if warm_up else []
    settle()
    with Usage(system.pid) as used:
        done = kafka("producer-perf-test", *command, quick=False, timeout=timeout)
        time.sleep(0.5)
    said = [line for line in done.stdout.splitlines() if line.strip()]
    closing = CLOSING.search(said[-1])
    assert closing and int(closing["records"]) == records - warm_up, done.stdout[-2000:] + done.stderr[-2000:]
    gibibytes = records * size / GIB
    answer = {key: float(value) for key, value in closing.groupdict().items()}
    return answer | {"cpu_per_gib": used.cpu / gibibytes, "machine_per_gib": used.machine / gibibytes}


def send(system, name, partitions, batch_bytes, record_bytes, total, **more):
    """Our sender of prebuilt frames; the same shape of answer. For `more` see `_send_command`."""
    return _perf(system, _send_command(system, name, partitions, batch_bytes, record_bytes, total, **more))


def until_led(broker, name, partitions, seconds=120):
    """Kafka answers CreateTopics, and says that it is ready, before it leads every partition. The records that this has taken."""
    until = time.monotonic() + seconds
    while True:
        try:
            return send(broker, name, partitions, 200, 100, 1, connections=1, together=partitions)["records"]
        except AssertionError as error:
            assert time.monotonic() < until, f"{broker.kind}: {name} is not led after {seconds} s: {error}"
            time.sleep(0.2)


@contextlib.contextmanager
def sending(system, name, partitions, batch_bytes, record_bytes, **more):
    """The same beside what is done meanwhile; it must come to an end by itself."""
    process = _begin(_send_command(system, name, partitions, batch_bytes, record_bytes, 0, **more))
    try:
        yield
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    finally:
        process.kill()


def _send_command(system, name, partitions, batch_bytes, record_bytes, total, connections=4, in_flight=5, acks=1, seconds=None, rate=None,
                  together=1, keyed=False, groups=0):
    command = [build("perf", "perf", release=True), "send", "--address", system.address, "--topic", name, "--partitions", partitions,
               "--connections", connections, "--in-flight", in_flight, "--batch-bytes", batch_bytes, "--record-bytes", record_bytes, "--acks", acks]
    command += ["--seconds", seconds] if seconds else ["--bytes", total]
    command += ["--rate", rate] if rate else []
    command += ["--together", together] if together > 1 else []
    command += ["--groups", groups] if groups else []
    return command + (["--keyed", "true"] if keyed else [])


def fetch(system, name, partitions, **more):
    return _perf(system, _fetch_command(system, name, partitions, **more))


@contextlib.contextmanager
def reading(system, name, partitions, **more):
    """Reads the topic from its beginning, again and again, while something else is done."""
    command, over = _fetch_command(system, name, partitions, **more), threading.Event()
    running, faults = [], []

    def read():
        while not over.is_set():
            running[:] = [_begin(command)]
            _, errors = running[0].communicate()
            if running[0].returncode != 0 and not over.is_set():
                faults.append(errors)
                return
    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        over.set()
        for process in list(running):
            process.kill()
        reader.join()
    assert not faults, faults[0]


def _fetch_command(system, name, partitions, max_bytes=1 << 20, start="earliest", total=None):
    command = [build("perf", "perf", release=True), "fetch", "--address", system.address, "--topic", name, "--partitions", partitions,
               "--max-bytes", max_bytes, "--from", start]
    return command + (["--bytes", total] if total else [])


def _begin(command):
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent())


def _perf(system, command):
    settle()
    with Usage(system.pid) as used:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
        time.sleep(0.3)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert not answer.get("errors"), f"{system.kind} refused {answer['errors']} requests"
    # Commits have no bytes that would count.
    gibibytes = answer["bytes"] / GIB or float("nan")
    return answer | {"cpu": used.cpu, "cpu_per_gib": used.cpu / gibibytes, "machine_per_gib": used.machine / gibibytes}


def drop_caches():
    """Clean pages leave the page cache; False where that is not ours to do."""
    subprocess.run(["sync"], check=True)
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("1\n")
    except OSError:
        print("the page cache could not be dropped: the backlog may be warm", file=sys.stderr)
        return False
    return True
