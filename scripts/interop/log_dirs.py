"""Several log directories: kafka-log-dirs, moves by Kafka's AdminClient, a directory that is missing at a start."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from broker import ROOT, SCRATCH, Broker, BrokerError, kafka
from check import case, contains, equal, main

HERE = pathlib.Path(__file__).resolve().parent


def with_two_directories(context):
    """A broker of the kind that is tested, whose data is in two directories."""
    root = pathlib.Path(tempfile.mkdtemp(dir=SCRATCH))
    first, second = root / "first", root / "second"
    first.mkdir()
    broker = Broker(context.shared.kind, {"log.dirs": f"{first},{second}"}, data=first, shards=context.shared.shards)
    return broker, first, second


def described(broker, *options):
    """What kafka-log-dirs prints: {directory: {partition: what it says of it}}, and the errors of directories."""
    out = kafka("log-dirs", "--bootstrap-server", broker.address, "--describe", *options).stdout
    [found] = json.loads(out.strip().splitlines()[-1])["brokers"]
    partitions = {pathlib.Path(entry["logDir"]).name: {p["partition"]: p for p in entry["partitions"]} for entry in found["logDirs"]}
    return partitions, {pathlib.Path(entry["logDir"]).name: entry["error"] for entry in found["logDirs"]}


def move(broker, topic, partition, path):
    libs = subprocess.run([str(ROOT / "scripts/kafka"), "libs"], capture_output=True, text=True, check=True).stdout.strip()
    command = ["java", "-cp", f"{libs}/*", str(HERE / "java/MoveLogDirs.java"), broker.address, topic, str(partition), str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout.split()


def produce(broker, topic, count):
    kafka("producer-perf-test", "--topic", topic, "--num-records", count, "--record-size", 1000, "--throughput", -1,
          "--producer-props", f"bootstrap.servers={broker.address}")


@case
def partitions_are_spread_and_move(context):
    broker, first, second = with_two_directories(context)
    broker.start()
    try:
        kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", "spread", "--partitions", 4)
        found, errors = described(broker, "--topic-list", "spread")
        equal(errors, {"first": None, "second": None}, "errors")
        equal(sorted(len(partitions) for partitions in found.values()), [2, 2], "partitions in each directory")
        kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", "one", "--partitions", 1, "--config", "segment.bytes=1048576")
        produce(broker, "one", 5000)
        found, _ = described(broker, "--topic-list", "one")
        [name] = [name for name, partitions in found.items() if "one-0" in partitions]
        size = found[name]["one-0"]["size"]
        assert size > 5_000_000, size
        for to in (second, first, second) if name == "first" else (first, second, first):
            equal(move(broker, "one", 0, to), ["moved"], f"move to {to.name}")
            found, _ = described(broker, "--topic-list", "one")
            equal([name for name, partitions in found.items() if partitions], [to.name], "where it is")
            entry = found[to.name]["one-0"]
            equal((entry["size"], entry["offsetLag"], entry["isFuture"]), (size, 0, False), "as it was")
            assert (to / "one-0").is_dir()
        produce(broker, "one", 100)
        ends = kafka("get-offsets", "--bootstrap-server", broker.address, "--topic", "one").stdout
        equal(ends.strip(), "one:0:5100", "the log's end")
        equal(move(broker, "one", 0, first.parent / "nowhere"), ["refused", "LogDirNotFoundException"], "a directory that is none")
        broker.stop()
        broker.start()
        ends = kafka("get-offsets", "--bootstrap-server", broker.address, "--topic", "one").stdout
        equal(ends.strip(), "one:0:5100", "the log's end after a restart")
    finally:
        broker.kill()


@case
def a_directory_that_is_missing_ends_the_start(context):
    broker, first, second = with_two_directories(context)
    broker.start()
    try:
        kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", "spread", "--partitions", 2)
        broker.stop()
        second.rename(second.with_name("away"))
        try:
            broker.start()
            raise AssertionError("it started without one of its directories")
        except BrokerError as error:
            contains(str(error), "meta.properties")
        shutil.rmtree(second, ignore_errors=True)
        # One that cannot be used is left out.
        second.write_text("")
        broker.start()
        found, errors = described(broker)
        equal(errors["second"], "org.apache.kafka.common.errors.KafkaStorageException", "its error")
        equal(errors["first"], None, "the other's error")
        equal((len(found["first"]), len(found["second"])), (1, 0), "partitions")
        lines = kafka("topics", "--bootstrap-server", broker.address, "--describe", "--topic", "spread").stdout
        contains(lines, "Leader: none")
        contains(lines, "Leader: 1")
        broker.stop()
    finally:
        broker.kill()


@case
def commit_logs_on_a_device_of_their_own(context):
    if context.kind == "kafka":
        return
    broker, first, second = with_two_directories(context)
    apart = first.parent / "commit"
    broker.overrides["odradek.commit.log.dir"] = apart
    broker.start()
    try:
        kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", "spread", "--partitions", 4)
        produce(broker, "spread", 4000)
        found, errors = described(broker, "--topic-list", "spread")
        equal(errors, {"first": None, "second": None}, "directories: the one for commit logs is none")
        equal(sorted(len(partitions) for partitions in found.values()), [2, 2], "partitions in each directory")
        assert list(apart.glob("*/odradek-0-*.commit")), "no commit log there"
        assert not [*first.glob("odradek-[0-9]*"), *second.glob("odradek-[0-9]*")], "a commit log in a log directory"
        [before] = [kafka("get-offsets", "--bootstrap-server", broker.address, "--topic", "spread").stdout]
        broker.kill()
        broker.start()
        equal(kafka("get-offsets", "--bootstrap-server", broker.address, "--topic", "spread").stdout, before, "ends after a kill")
        broker.stop()
        # Kafka goes on with the log directories, and we after it.
        theirs = Broker("kafka", {"log.dirs": f"{first},{second}"}, data=first, timeout=120).start()
        equal(kafka("get-offsets", "--bootstrap-server", theirs.address, "--topic", "spread").stdout, before, "ends that Kafka finds")
        produce(theirs, "spread", 400)
        before = kafka("get-offsets", "--bootstrap-server", theirs.address, "--topic", "spread").stdout
        theirs.stop()
        for where in (apart, first.parent / "other", None):
            broker.overrides.pop("odradek.commit.log.dir", None)
            if where:
                broker.overrides["odradek.commit.log.dir"] = where
            broker.start()
            equal(kafka("get-offsets", "--bootstrap-server", broker.address, "--topic", "spread").stdout, before, f"ends with it in {where}")
            broker.stop()
        equal(list(apart.glob("*/odradek-*")), [], "what is left of a commit log")
    finally:
        broker.kill()


main("log_dirs")
