"""A Spring Boot application with @KafkaListener methods (scripts/interop/drivers/spring/App.java says what it prints)."""

import subprocess
import sys, pathlib
import threading
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from broker import SCRATCH, die_with_parent, kafka
from check import case, contains, equal, main
from client import until
from drivers import HERE, install


class App:
    """One instance of the application."""

    def __init__(self, broker):
        self.lines = []
        self.process = subprocess.Popen([*command(), broker.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                        preexec_fn=die_with_parent())
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.wait(lambda: self.said("ready") and self.assigned(), "it is ready, and has partitions", 240)
        except AssertionError:
            self.kill()
            raise

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def said(self, verb):
        """What followed this word, each time."""
        return [line.split()[1:] for line in list(self.lines) if line.split()[:1] == [verb]]

    def assigned(self):
        """Of `orders`, now."""
        now = set()
        for line in list(self.lines):
            verb, *rest = line.split() or [""]
            if verb == "assigned":
                now.add(rest[0])
            elif verb == "revoked":
                now.discard(rest[0])
        return now

    def wait(self, done, what, seconds=90):
        try:
            until(lambda: done() or self.process.poll() is not None, what, seconds)
            assert done(), f"it ended before: {what}"
        except AssertionError as error:
            raise AssertionError(f"{error}\n" + "\n".join(self.lines[-40:])) from None

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def got(self, topic="orders"):
        """{(partition, offset): (key, value, header)}, and how many were delivered."""
        found = [rest for rest in self.said("got") if rest[0] == topic]
        return {(int(p), int(o)): tuple(rest) for _, p, o, *rest in found}, len(found)

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            equal(self.process.wait(60), 0, "how it ended")

    def kill(self):
        self.process.kill()
        self.process.wait()


def command():
    libs, classes = install("spring"), SCRATCH / "spring-classes"
    if not classes.exists():
        classes.mkdir()
        subprocess.run(["javac", "-nowarn", "-parameters", "-d", str(classes), "-cp", f"{libs}/*", str(HERE / "spring/App.java")], check=True)
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256M", "-cp", f"{classes}:{libs}/*", "odradek.App"]


def sent(app, topic, count):
    """{(partition, offset): value} of what was acknowledged so far."""
    app.wait(lambda: len([rest for rest in app.said("sent") if rest[0] == topic]) >= count, f"{count} sent to {topic}")
    return {(int(p), int(o)): value for t, p, o, value in app.said("sent") if t == topic}


@case
def sends_listens_and_resumes(context):
    broker = context.shared
    app = App(broker)
    try:
        text = kafka("topics", "--bootstrap-server", broker.address, "--describe", "--topic", "orders").stdout
        contains(text, "PartitionCount: 3\t")
        contains(text, "retention.ms=7200000")
        app.tell("send", "orders", 0, 300)
        expected = sent(app, "orders", 300)
        app.wait(lambda: app.got()[1] >= 300, "all are listened to")
        found, delivered = app.got()
        equal(delivered, 300, "deliveries")
        equal(found, {place: (str(int(value) % 7), value, value) for place, value in expected.items()}, "what was listened to")
        equal({int(key) for key, *_ in found.values()}, set(range(7)), "keys")
    finally:
        app.close()
    # Committed one by one: a new instance gets only what is new.
    app = App(broker)
    try:
        app.tell("send", "orders", 300, 310)
        sent(app, "orders", 10)
        app.wait(lambda: app.got()[1] >= 10, "the new are listened to")
        found, delivered = app.got()
        equal((sorted(int(value) for _, value, _ in found.values()), delivered), (list(range(300, 310)), 10), "what the new instance got")
        app.tell("seek")
        app.wait(lambda: len(app.got()[0]) == 310, "all again after the seek")
    finally:
        app.close()


@case
def what_is_refused_is_tried_again_and_buried(context):
    app = App(context.shared)
    try:
        app.tell("send", "orders", 0, 3, "bad")
        places = sent(app, "orders", 3)
        app.wait(lambda: len(app.said("dead")) >= 3, "three are buried")
        equal(sorted(value for _, _, value, _ in app.said("dead")), ["bad0", "bad1", "bad2"], "buried")
        equal({original for *_, original in app.said("dead")}, {"orders"}, "where they came from")
        equal({int(p) for p, *_ in app.said("dead")}, {p for p, _ in places}, "the partitions of the buried")
        tries = [value for [value] in app.said("refused")]
        equal({value: tries.count(value) for value in tries}, {"bad0": 3, "bad1": 3, "bad2": 3}, "how often each was tried")
    finally:
        app.close()


@case
def batches_and_replies(context):
    app = App(context.shared)
    try:
        app.tell("send", "batches", 0, 200)
        app.wait(lambda: sum(len(values.split(",")) for _, values in app.said("batch")) >= 200, "all came in batches")
        equal([int(v) for _, values in app.said("batch") for v in values.split(",")], list(range(200)), "what came in batches")
        app.tell("ask", "why")
        app.wait(lambda: app.said("answered") or app.said("failed"), "an answer")
        equal((app.said("answered"), app.said("failed")), ([["why", "WHY"]], []), "the answer")
    finally:
        app.close()


@case
def two_instances_share_and_one_is_killed(context):
    broker = context.shared
    first = App(broker)
    second = None
    try:
        second = App(broker)
        both = lambda: sorted([*first.assigned(), *second.assigned()])
        until(lambda: both() == ["orders-0", "orders-1", "orders-2"] and first.assigned() and second.assigned(), "both have some of the partitions", 120)
        first.tell("send", "orders", 1000, 1200)
        places = sent(first, "orders", 200)
        until(lambda: first.got()[1] + second.got()[1] >= 200, "both together got all")
        found = first.got()[0] | second.got()[0]
        equal({place: value for place, (_, value, _) in found.items()}, places, "what both got")
        second.kill()
        first.wait(lambda: len(first.assigned()) == 3, "the other has all")
        first.tell("send", "orders", 1200, 1230)
        places = sent(first, "orders", 230)
        first.wait(lambda: set(places) <= set(first.got()[0]) | set(second.got()[0]), "what came later")
    finally:
        if second:
            second.kill()
        first.close()


main("spring")
