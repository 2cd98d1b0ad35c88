"""The clients that have a driver (scripts/interop/drivers), and the command that starts it: built and installed here if it is not yet."""

import contextlib
import fcntl
import os
import pathlib
import subprocess

from broker import QUICK_GROUPS, ROOT, SCRATCH
from client import Client

HERE = ROOT / "scripts/interop/drivers"


def install(what):
    """The path that scripts/lib/install prints for a runtime."""
    return subprocess.run([str(ROOT / "scripts/lib/install"), what], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def go(package):
    """A driver in Go; Go's own cache knows what is to be compiled again."""
    binary = SCRATCH / "bin" / f"go-{package}"
    subprocess.run([install("go"), "build", "-o", str(binary), f"./{package}"], cwd=HERE / "go", check=True)
    return [binary]


def javascript(file):
    """A driver in JavaScript, its packages installed as package-lock.json says."""
    node = pathlib.Path(install("node"))
    lock, done = HERE / "js/package-lock.json", HERE / "js/node_modules/.installed"
    with alone("js"):
        if not done.exists() or done.read_text() != lock.read_text():
            # npm that came with this node, or the one in the path; no package needs a script.
            npm = node.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
            command = [node, npm] if npm.exists() else ["npm"]
            subprocess.run([*map(str, command), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=HERE / "js", check=True,
                           stdout=subprocess.DEVNULL)
            done.write_text(lock.read_text())
    return [node, HERE / "js" / file]


def python(file):
    return [install("python"), HERE / "python" / file]


def java(main):
    """A driver in Java, compiled against the jars of Kafka. The JVM is told to start fast."""
    libs, classes = kafka_libs(), SCRATCH / "classes"
    classes.mkdir(exist_ok=True)
    subprocess.run(["javac", "-nowarn", "-d", str(classes), "-cp", f"{libs}/*", *map(str, sorted((HERE / "java").glob("*.java")))], check=True)
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256M", f"-Dlog4j2.configurationFile={libs.parent}/tools.xml", "-cp", f"{classes}:{libs}/*", main]


def kafka_libs():
    return pathlib.Path(subprocess.run([str(ROOT / "scripts/kafka"), "libs"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())


@contextlib.contextmanager
def alone(what):
    """One process at a time prepares this."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "odradek"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f".{what}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


COMMANDS = {
    "franz-go": lambda: go("franz"),
    "sarama": lambda: go("sarama"),
    "kafka-go": lambda: go("segmentio"),
    "kafkajs": lambda: javascript("kafkajs.js"),
    "java": lambda: java("Driver"),
    "aiokafka": lambda: python("with_aiokafka.py"),
    "kafka-python": lambda: python("with_kafka_python.py"),
    "platformatic": lambda: javascript("platformatic.js"),
}


def command(client):
    return COMMANDS[client]()


class Driven:
    """The context of check.py's cases, and a driver for them."""

    def __init__(self, context, command):
        self._context, self._command = context, command
        # As scripts/kafka gives it to the real one: who joins first does not wait for others.
        context.settings |= {"group.initial.rebalance.delay.ms": 0, **QUICK_GROUPS}
        self._client, self._others = None, []

    def __getattr__(self, name):
        return getattr(self._context, name)

    @property
    def client(self):
        """The driver, started again when a case has left it without answers."""
        if self._client is None or self._client.process.poll() is not None:
            self._client = Client(self._command, self.shared.address)
        return self._client

    def another(self):
        other = Client(self._command, self.shared.address)
        self._others.append(other)
        return other

    def close(self):
        for one in [self._client, *self._others]:
            if one is not None and one.process.poll() is None:
                one.close()
        self._context.close()
