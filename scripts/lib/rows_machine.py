"""Rows of the benchmark about the machine: disk, starts, recovery, memory, system calls, where our CPU goes."""

import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

from broker import ROOT, SCRATCH, Broker, build
from measure import disk_bytes, metrics, write_bytes
from rows import Result, row
from systems import GIB, drop, drop_caches, send, topic


@row("disk")
def disk(bench):
    """Bytes to the disk for each byte produced in 1 MB batches, segments included."""
    system, size = bench.systems["sync"], bench.scaled(3 * GIB)
    topic(system, "disk", 6)
    before, device = write_bytes(system.pid), disk_bytes(system.data)
    send(system, "disk", 6, 1_040_000, 1000, size)
    time.sleep(3)
    subprocess.run(["sync"], check=True)
    amplification = (write_bytes(system.pid) - before) / size
    detail = {"device, anyone's": round((disk_bytes(system.data) - device) / size, 3)}
    drop(system, "disk")
    yield Result("bytes to disk per byte produced, 1 MB batches", "x", {"sync": amplification}, None, 1.15, detail=detail)


@row("start")
def start(bench):
    """From fork to the ready line, on an empty directory."""
    times = {"sync": [], "kafka": []}
    for _ in range(max(bench.rounds, 5)):
        with Broker(shards=bench.shards, release=True) as broker:
            times["sync"].append(broker.started_ms)
    with Broker("kafka", timeout=120) as broker:
        times["kafka"].append(broker.started_ms)
    yield Result("ready on an empty directory", "ms", {s: statistics.median(t) for s, t in times.items()}, None, 200, detail={"worst": round(max(times["sync"]))})


@row("recovery")
def recovery(bench):
    """From a kill to the ready line, against reading the same log files directly."""
    ratios, figures = [], {"recovery": [], "reading": []}
    for _ in range(bench.rounds):
        directory = tempfile.mkdtemp(prefix="recovery-", dir=SCRATCH)
        broker = Broker(data=directory, shards=bench.shards, release=True).start()
        topic(broker, "recovered", 20)
        send(broker, "recovered", 20, 16384, 1000, bench.scaled(2 * GIB))
        broker.kill()
        drop_caches()
        reading = read_directly(sorted(pathlib.Path(directory).glob("odradek-*.commit")))
        drop_caches()
        broker.start()
        took = broker.started_ms / 1000
        broker.stop()
        figures["recovery"].append(took)
        figures["reading"].append(reading)
        ratios.append((took - 0.3) / reading)
        subprocess.run(["rm", "-rf", directory], check=True)
    yield Result("recovery after a kill, less 0.3 s", "s", {k: statistics.median(v) for k, v in figures.items()}, statistics.median(ratios), 1.3, of="reading the log directly")


def read_directly(files):
    began = time.monotonic()
    for file in files:
        subprocess.run(["dd", f"if={file}", "of=/dev/null", "bs=1M", "iflag=direct"], check=True, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


@row("idle")
def idle(bench):
    done = subprocess.run([ROOT / "scripts/idle", "--json", "--release"], capture_output=True, text=True, check=True,
                          env={**os.environ, "ODRADEK_BINARY": str(build("broker", "odradek", True)), "PERF_BINARY": str(build("perf", "perf", True))})
    found = json.loads(done.stdout.splitlines()[-1])
    yield Result("CPU when idle", "% of a core", {"sync": found["cpu"]}, None, 1.0)
    yield Result("memory per idle connection, 5,000", "KiB", {"sync": found["connection"]}, None, 8.0)
    yield Result("memory per idle partition, 1,000", "KiB", {"sync": found["partition"]}, None, 20.0, detail={"written to": round(found["partition_written"], 1)})
    yield Result("resident when empty", "MiB", {"sync": found["empty_mib"]})


@row("crossing")
def crossing(bench):
    """One connection, one partition: the kernel decides whether its shard owns the partition."""
    if bench.shards == 1:
        return
    system, kinds = bench.systems["sync"], {"same shard": [], "cross shard": []}
    topic(system, "crossing", 1)
    for _ in range(12 if not bench.quick else 6):
        before = metrics(system.admin).get("odradek_mesh_messages_total", 0)
        found = send(system, "crossing", 1, 1000, 100, bench.scaled(40 << 20), connections=1, in_flight=8)
        crossed = metrics(system.admin).get("odradek_mesh_messages_total", 0) - before > found["requests"]
        kinds["cross shard" if crossed else "same shard"].append(1e6 * found["cpu"] / found["requests"])
    drop(system, "crossing")
    yield Result("CPU of a 1 KB Produce request", "µs", {k: statistics.median(v) if v else float("nan") for k, v in kinds.items()})


@row("syscalls")
def syscalls(bench):
    """System calls and records for each sync, of 16 KiB batches."""
    system = bench.systems["sync"]
    topic(system, "counted", 6)
    send(system, "counted", 6, 16384, 1000, 64 << 20)
    before = metrics(system.admin)
    found = send(system, "counted", 6, 16384, 1000, bench.scaled(1 * GIB))
    after = metrics(system.admin)
    grown = {k: after[k] - before.get(k, 0) for k in after}
    out = SCRATCH / "strace"
    tracer = subprocess.Popen(["strace", "-c", "-f", "-p", str(system.pid), "-o", str(out)], stderr=subprocess.DEVNULL)
    time.sleep(1)
    traced = send(system, "counted", 6, 16384, 1000, 128 << 20)
    tracer.terminate()
    tracer.wait()
    drop(system, "counted")
    calls = re.search(r"^\s*100\.00\s+[\d.]+\s+(?:\d+\s+)?(\d+)", out.read_text(), re.M)
    yield Result("system calls per request (strace)", "", {"sync": int(calls[1]) / traced["requests"] if calls else float("nan")})
    groups = grown.get("odradek_log_groups_total")
    if groups:
        yield Result("records per sync", "", {"sync": found["records"] / groups})
    yield Result("guard rescues since the start", "", {"sync": after.get("odradek_guard_rescues_total", float("nan"))})
    yield Result("turns over 5 ms since the start", "", {"sync": after.get("odradek_long_turns_total", float("nan"))})


# Where a sample of our CPU belongs: the first pattern that matches a frame, from the innermost outwards.
PARTS = [
    ("checksum", r"crc32c"),
    ("receive", r"tcp_recvmsg|io_recv\b|sock_recvmsg|inet_recvmsg|skb_copy_datagram"),
    ("send", r"tcp_sendmsg|io_send\b|io_sendmsg|sock_sendmsg|do_sendfile|inet_sendmsg"),
    ("record check", r"::validat|Validation|::walk|batch::(record|header|parse)|Batch::parse"),
    ("segment write", r"segment::|::drain|extent"),
    ("log write", r"ext4_file_write|iomap_dio|blk_|io_write\b|submit_bio|generic_write_sync|file_write_and_wait|commit_log::"),
    ("copy", r"memcpy|memmove|append_copy|AppendBuffer|stamp"),
    ("codec", r"net::wire|api::produce|connection::|frame::"),
    ("executor", r"glommio|io_uring_enter|schedule|eventfd|futex|task::|poll"),
]


@row("split")
def split(bench):
    """Where our CPU goes at 16 KiB and 1 MB batches, by sampling (needs Linux perf; left out without it)."""
    for label, batch, size in (("16k", 16384, 1 * GIB), ("1m", 1_040_000, 3 * GIB)):
        system = bench.systems["sync"]
        topic(system, f"split-{label}", 6)
        data = SCRATCH / "perf.data"
        try:
            sampler = subprocess.Popen(["perf", "record", "-q", "-F", "1999", "-e", "cpu-clock", "-g", "-p", str(system.pid), "-o", str(data)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            return
        time.sleep(0.5)
        found = send(system, f"split-{label}", 6, batch, 1000, bench.scaled(size))
        sampler.terminate()
        sampler.wait()
        drop(system, f"split-{label}")
        shares = share_by_part(data)
        figures = {part: share * found["cpu_per_gib"] for part, share in shares.items()}
        yield Result(f"our CPU at {label} batches, {found['cpu_per_gib']:.2f} in all", "CPU-s/GiB", figures)


def share_by_part(data):
    text = subprocess.run(["perf", "script", "-i", str(data), "-F", "comm,ip,sym"], capture_output=True, text=True, errors="replace").stdout
    counts, total = {}, 0
    for sample in text.split("\n\n"):
        frames = sample.splitlines()[1:]
        if not frames:
            continue
        total += 1
        part = part_of(frames)
        counts[part] = counts.get(part, 0) + 1
    return {part: n / max(total, 1) for part, n in sorted(counts.items(), key=lambda item: -item[1])}


def part_of(frames):
    for frame in frames:
        for part, pattern in PARTS:
            if re.search(pattern, frame):
                return part
    return "other"
