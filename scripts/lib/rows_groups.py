"""Rows of the benchmark about what many small clients and consumer groups cost."""

import contextlib
import subprocess
import time

from broker import ROOT, die_with_parent, kafka
from measure import Usage
from rows import Result, interleaved, medians, ratio, row
from systems import GIB, drop, send, settle, topic, until_led

CONNECTIONS, PARTITIONS = 64, 12


def _requests(system, name, seconds, in_flight=1, **more):
    """Requests on many connections; microseconds of the broker's CPU for each."""
    topic(system, name, PARTITIONS)
    until_led(system, name, PARTITIONS)
    answer = send(system, name, PARTITIONS, 200, 100, 0, connections=CONNECTIONS, in_flight=in_flight, seconds=seconds, **more)
    drop(system, name)
    return answer | {"us": answer["cpu"] / answer["requests"] * 1e6, "per_second": answer["requests"] / answer["seconds"]}


@row("small-requests")
def small_requests(bench):
    """One record of 100 bytes a batch, from 64 connections: each waits for its answer, or has five in flight, as producers do by default."""
    seconds = 5 if bench.quick else 15
    for in_flight in (1, 5):
        found = interleaved(bench.rounds, ["sync", "kafka"], lambda name: _requests(bench.systems[name], "small", seconds, in_flight))
        yield Result(f"one record a batch, {CONNECTIONS} connections, {in_flight} in flight: CPU a request", "us", medians(found, "us"),
                     ratio(found, "us", "sync", "kafka"), 0.25, of="Kafka",
                     detail={f"{name} requests/s": round(rate) for name, rate in medians(found, "per_second").items()})


@row("commits")
def commits(bench):
    """Offsets of 12 partitions a commit, of 64 groups, each waiting for its answer."""
    seconds = 5 if bench.quick else 15
    found = interleaved(bench.rounds, ["sync", "kafka"], lambda name: _requests(bench.systems[name], "committed", seconds, groups=CONNECTIONS))
    yield Result(f"offset commits, {CONNECTIONS} groups", "commits/s", medians(found, "per_second"), ratio(found, "per_second", "sync", "kafka"), of="Kafka",
                 detail={f"{name} CPU a commit, us": round(cost) for name, cost in medians(found, "us").items()})


GROUPS = 3


@contextlib.contextmanager
def _groups(system, name, records):
    """Groups of kafka-consumer-perf-test that read what is to come; left when each has read so many records."""
    command = [ROOT / "scripts/kafka", "consumer-perf-test", "--bootstrap-server", system.address, "--topic", name, "--num-records", records,
               "--from-latest", "--timeout", 60000, "--group"]
    running = [subprocess.Popen([*map(str, command), f"{name}-{n}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent())
               for n in range(GROUPS)]
    try:
        _until_stable(system, name)
        yield
        for process in running:
            said, errors = process.communicate(timeout=120)
            read = int(said.splitlines()[-1].split(", ")[4])
            assert process.returncode == 0 and read >= records, f"{read} of {records} records: {errors[-2000:]}"
    finally:
        for process in running:
            process.kill()


def _until_stable(system, name):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        told = kafka("consumer-groups", "--bootstrap-server", system.address, "--describe", "--all-groups", "--state", check=False).stdout
        if sum("Stable" in line for line in told.splitlines() if line.startswith(name)) == GROUPS:
            # Positions are asked for after that.
            time.sleep(2)
            return
    raise AssertionError(f"the groups of {name} do not become stable")


@row("groups")
def groups(bench):
    """What is produced is read by three consumer groups from the tail, as it comes."""
    records, size = (200_000 if bench.quick else 1_000_000), 1000

    def one(name):
        system = bench.systems[name]
        topic(system, "followed", PARTITIONS)
        settle()
        with _groups(system, "followed", records), Usage(system.pid) as used:
            kafka("producer-perf-test", "--bootstrap-server", system.address, "--topic", "followed", "--num-records", records, "--record-size", size,
                  "--throughput", 40_000, quick=False, timeout=600)
            time.sleep(2)
        drop(system, "followed")
        return {"cpu": used.cpu / (records * size * GROUPS / GIB)}

    found = interleaved(bench.rounds, ["sync", "kafka"], one)
    yield Result(f"produced, and read by {GROUPS} groups from the tail: CPU for each GiB read", "CPU-s/GiB", medians(found, "cpu"), ratio(found, "cpu", "sync", "kafka"), of="Kafka")
