"""Kafka Connect: distributed workers with the file connectors; a source, a sink, a worker that is killed, one that comes back."""

import json
import subprocess
import sys, pathlib
import urllib.error
import urllib.request
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from confluent_kafka import Consumer, TopicPartition

from broker import SCRATCH, die_with_parent, free_port, kafka
from check import case, contains, equal, main
from client import until
from drivers import install, kafka_libs
from wire import at_least, serves

SOURCE = "org.apache.kafka.connect.file.FileStreamSourceConnector"
SINK = "org.apache.kafka.connect.file.FileStreamSinkConnector"


class Worker:
    """One worker of a Connect cluster; `ask` speaks its REST."""

    def __init__(self, broker, group):
        self.port = free_port()
        self.log = SCRATCH / f"connect-{group}-{self.port}.log"
        settings = {"bootstrap.servers": broker.address, "group.id": group, "listeners": f"http://127.0.0.1:{self.port}", "plugin.path": install("connect"),
                    "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter": "org.apache.kafka.connect.storage.StringConverter",
                    "session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "scheduled.rebalance.max.delay.ms": 1000, "offset.flush.interval.ms": 500}
        for what in ("config", "offset", "status"):
            settings |= {f"{what}.storage.topic": f"{group}-{what}", f"{what}.storage.replication.factor": 1}
        settings |= {"offset.storage.partitions": 3, "status.storage.partitions": 2}
        file = SCRATCH / f"connect-{group}-{self.port}.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        libs = kafka_libs()
        command = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx384M", f"-Dlog4j2.configurationFile={libs.parent}/broker.xml", "-cp", f"{libs}/*",
                   "org.apache.kafka.connect.cli.ConnectDistributed", str(file)]
        self.process = subprocess.Popen(command, stdout=open(self.log, "w"), stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent())

    def ready(self):
        """Returns when it has joined the cluster and serves it."""
        try:
            until(lambda: self._there(), "the worker serves", 300)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\n{self.log.read_text()[-3000:]}") from None
        return self

    def _there(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the worker ended with {self.process.returncode}")
        return self.ask("/connectors", missing=None) is not None

    def ask(self, path, method="GET", body=None, missing="raise"):
        """Its answer; `missing` where it has none (yet): workers answer 409 while they rebalance."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method, data=body and json.dumps(body).encode(), headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            if missing == "raise" and error.code not in (404, 409, 500):
                raise
            return None if missing == "raise" else missing
        except OSError:
            return None if missing == "raise" else missing

    def create(self, name, **config):
        config = {key.replace("_", "."): str(value) for key, value in config.items()} | {"name": name}
        until(lambda: self.ask(f"/connectors/{name}/config", "PUT", config) is not None, f"{name} is accepted")
        self.running(name)

    def running(self, name):
        until(lambda: self.states(name) == ["RUNNING", "RUNNING"], f"{name} runs", 90)

    def states(self, name):
        """Of the connector and its task."""
        status = self.ask(f"/connectors/{name}/status")
        return [status["connector"]["state"], *(task["state"] for task in status["tasks"])] if status else None

    def owners(self, names):
        """{connector: the port of the worker that runs its task}"""
        found = {name: self.ask(f"/connectors/{name}/status") for name in names}
        return {name: int(status["tasks"][0]["worker_id"].rsplit(":", 1)[1]) for name, status in found.items() if status and status["tasks"]}

    def stop(self):
        self.process.terminate()
        equal(self.process.wait(60) in (0, 143), True, "a clean end")

    def kill(self):
        self.process.kill()
        self.process.wait()


def stored(broker, topic, count):
    """The values of a topic of one partition, in order; it has so many."""
    until(lambda: serves(broker.address, topic), f"{topic} is there")
    equal(sum(b.count for b in at_least(count, broker.address, topic, seconds=60)), count, f"records of {topic}")
    reader = Consumer({"bootstrap.servers": broker.address, "group.id": "unused", "enable.auto.commit": False})
    reader.assign([TopicPartition(topic, 0, 0)])
    found = []
    until(lambda: found.extend(m.value().decode() for m in reader.consume(count - len(found), 1) if not m.error()) or len(found) == count, f"{count} records of {topic}")
    reader.close()
    return found


def lines(first, last):
    return [f"line {n}" for n in range(first, last)]


def append(file, some):
    with open(file, "a") as out:
        out.write("".join(line + "\n" for line in some))


@case
def a_source_a_sink_and_a_restart(context):
    broker = context.shared
    given, got = SCRATCH / "source.txt", SCRATCH / "sink.txt"
    append(given, lines(0, 1000))
    worker = Worker(broker, "restarts").ready()
    try:
        worker.create("source", connector_class=SOURCE, tasks_max=1, file=given, topic="from-file")
        equal(stored(broker, "from-file", 1000), lines(0, 1000), "what the source wrote")
        worker.create("sink", connector_class=SINK, tasks_max=1, file=got, topics="from-file")
        until(lambda: got.exists() and got.read_text().splitlines() == lines(0, 1000), "the sink wrote all")
        # Both go on where they were: the source by Connect's topic of offsets, the sink by its group.
        until(lambda: worker.ask("/connectors/source/offsets")["offsets"] and worker.ask("/connectors/sink/offsets")["offsets"], "offsets are stored")
        worker.stop()
        append(given, lines(1000, 1500))
        worker = Worker(broker, "restarts").ready()
        worker.running("source"), worker.running("sink")
        equal(stored(broker, "from-file", 1500), lines(0, 1500), "what the source wrote after the restart")
        until(lambda: got.read_text().splitlines()[-1:] == lines(1499, 1500), "the sink wrote the rest")
        equal(got.read_text().splitlines(), lines(0, 1500), "what the sink wrote")
        until(lambda: worker.ask("/connectors/sink/offsets")["offsets"][0]["offset"] == {"kafka_offset": 1500}, "the sink's offset")
        until(lambda: worker.ask("/connectors/source", "DELETE", missing="refused") == {}, "the source is deleted")
        until(lambda: worker.ask("/connectors") == ["sink"], "connectors left")
    finally:
        worker.kill()


@case
def two_workers_and_one_that_is_killed(context):
    broker = context.shared
    workers = [Worker(broker, "pair") for _ in range(2)]
    try:
        for worker in workers:
            worker.ready()
        names = ["one", "two"]
        files = {name: SCRATCH / f"pair-{name}.txt" for name in names}
        for name in names:
            append(files[name], lines(0, 100))
            workers[0].create(name, connector_class=SOURCE, tasks_max=1, file=files[name], topic=f"pair-{name}")
        until(lambda: set(workers[0].owners(names).values()) == {w.port for w in workers}, "each worker has one of the tasks")
        contains(kafka("groups", "--bootstrap-server", broker.address, "--list").stdout, "pair")
        text = kafka("consumer-groups", "--bootstrap-server", broker.address, "--list").stdout.split()
        equal("pair" in text, False, "a group of Connect is a consumer group")
        for name in names:
            equal(stored(broker, f"pair-{name}", 100), lines(0, 100), f"what {name} wrote")
        for name in names:
            until(lambda: workers[0].ask(f"/connectors/{name}/offsets")["offsets"], "offsets are stored")
        workers.pop(0).kill()
        [left] = workers
        until(lambda: set(left.owners(names).values()) == {left.port}, "the other has both tasks", 90)
        for name in names:
            left.running(name)
            append(files[name], lines(100, 200))
            equal(stored(broker, f"pair-{name}", 200), lines(0, 200), f"what {name} wrote in all")
    finally:
        for worker in workers:
            worker.kill()


@case
def topics_of_connect_are_compacted(context):
    broker = context.shared
    for what, partitions in (("config", 1), ("offset", 3), ("status", 2)):
        text = kafka("topics", "--bootstrap-server", broker.address, "--describe", "--topic", f"pair-{what}").stdout
        contains(text, f"PartitionCount: {partitions}\t")
        contains(text, "cleanup.policy=compact")


@case
def paused_stopped_and_moved(context):
    broker = context.shared
    given = SCRATCH / "paused.txt"
    append(given, lines(0, 10))
    worker = Worker(broker, "pauses").ready()
    try:
        worker.create("p", connector_class=SOURCE, tasks_max=1, file=given, topic="paused")
        stored(broker, "paused", 10)
        until(lambda: worker.ask("/connectors/p/offsets")["offsets"], "offsets are stored")
        worker.ask("/connectors/p/pause", "PUT")
        until(lambda: worker.states("p") == ["PAUSED", "PAUSED"], "it is paused")
        worker.ask("/connectors/p/stop", "PUT")
        until(lambda: worker.states("p") == ["STOPPED"], "it is stopped")
        # Its offset is set back: five lines of seven bytes.
        change = {"offsets": [{"partition": {"filename": str(given)}, "offset": {"position": 35}}]}
        contains(json.dumps(worker.ask("/connectors/p/offsets", "PATCH", change)), "The offsets for this connector have been altered successfully")
        worker.ask("/connectors/p/resume", "PUT")
        worker.running("p")
        equal(stored(broker, "paused", 15), lines(0, 10) + lines(5, 10), "what was written again")
    finally:
        worker.kill()


main("connect")
