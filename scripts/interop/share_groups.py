"""Share groups (KIP-932) with kafka-share-groups and kafka-groups: the same commands against Odradek and against the real Kafka, and the same output."""

import re
import struct
import sys, pathlib
import time
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from broker import Broker, kafka
from check import absent, case, equal, main
from wire import Connection

TOPIC = "sg-tools"
GROUP = "sg-group"


def compact(value):
    """A string, or none, of a flexible version."""
    return b"\0" if value is None else bytes([len(value) + 1]) + value.encode()


def beat(connection, member, epoch, names=None):
    """ShareGroupHeartbeat version 1; error code, member epoch, and how many partitions the member is told, if it is told."""
    connection.correlation += 1
    listed = b"\0" if names is None else bytes([len(names) + 1]) + b"".join(map(compact, names))
    body = compact(GROUP) + compact(member) + struct.pack(">i", epoch) + compact(None) + listed + b"\0"
    client = b"odradek-test"
    frame = struct.pack(">hhih", 76, 1, connection.correlation, len(client)) + client + b"\0" + body
    connection.socket.sendall(struct.pack(">i", len(frame)) + frame)
    answer = connection._exactly(struct.unpack(">i", connection._exactly(4))[0])
    at = 5 + 4
    code, = struct.unpack_from(">h", answer, at)
    at += 2 + max(answer[at + 2], 1)
    at += max(answer[at], 1)
    epoch, = struct.unpack_from(">i", answer, at)
    at += 8
    told = None
    if struct.unpack_from(">b", answer, at)[0] != -1:
        told, at = 0, at + 1
        for _ in range(answer[at] - 1):
            count = answer[at + 17] - 1
            told += count
            at += 17 + 4 * count + 1
    return code, epoch, told


def with_member(address):
    """A member that has all partitions."""
    connection = Connection(address)
    code, epoch, told = beat(connection, "member", 0, [TOPIC])
    equal(code, 0, "error of the first heartbeat")
    until = time.monotonic() + 60
    while told != 2:
        assert time.monotonic() < until, "the member does not get its partitions"
        time.sleep(0.2)
        code, epoch, told = beat(connection, "member", epoch, [TOPIC])
        equal(code, 0, "error of a heartbeat")
    return connection, epoch


def said(address, tool, *options):
    """What the tool says, without what is the broker's own: lines of tables by their words, in an order of their own."""
    done = kafka(tool, "--bootstrap-server", address, *options, check=False)
    text = (done.stdout + done.stderr).replace(address, "ADDRESS")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip() and "SLF4J" not in line]
    # A stack is the tool's own.
    lines = [line for line in lines if not line.startswith("at ")]
    return sorted(lines)


def filled(address):
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(TOPIC, 2, 1)])[TOPIC].result(60)
    producer = Producer({"bootstrap.servers": address})
    for n in range(7):
        producer.produce(TOPIC, value=str(n), partition=n % 2)
    equal(producer.flush(60), 0, "lines left unsent")


def story(address):
    """Every command, and what it says."""
    told = {}

    def tell(when, tool, *options):
        told[f"{when}: {tool} {' '.join(options)}"] = said(address, tool, *options)

    filled(address)
    share = ("share-groups",)
    tell("nothing", *share, "--list")
    tell("nothing", *share, "--describe", "--group", GROUP)
    reset = ("--reset-offsets", "--group", GROUP, "--topic", TOPIC, "--to-earliest")
    tell("nothing", *share, *reset, "--dry-run")
    tell("nothing", *share, *reset, "--execute")
    tell("reset", *share, "--list", "--state")
    tell("reset", *share, "--describe", "--group", GROUP)
    tell("reset", *share, "--describe", "--group", GROUP, "--offsets", "--verbose")
    tell("reset", *share, "--describe", "--group", GROUP, "--state", "--verbose")
    tell("reset", *share, "--describe", "--group", GROUP, "--members")
    tell("reset", "groups", "--list")
    connection, epoch = with_member(address)
    with connection:
        tell("a member", *share, "--describe", "--group", GROUP, "--members", "--verbose")
        tell("a member", *share, "--describe", "--all-groups", "--state")
        tell("a member", *share, *reset, "--execute")
        tell("a member", *share, "--delete-offsets", "--group", GROUP, "--topic", TOPIC)
        tell("a member", *share, "--delete", "--group", GROUP)
        equal(beat(connection, "member", -1)[0], 0, "error of the last heartbeat")
    tell("left", *share, "--reset-offsets", "--group", GROUP, "--all-topics", "--to-latest", "--execute")
    tell("left", *share, "--describe", "--group", GROUP)
    tell("left", *share, "--delete-offsets", "--group", GROUP, "--topic", TOPIC, "--topic", "sg-none")
    tell("forgotten", *share, "--describe", "--group", GROUP)
    tell("forgotten", *share, "--delete", "--group", GROUP, "--group", "sg-nobody")
    tell("deleted", *share, "--list")
    return told


@case
def the_tools_say_what_they_say_of_kafka(context):
    quick = {"group.share.assignment.interval.ms": 0}
    told = []
    for kind in (context.kind, "kafka"):
        if kind == "kafka":
            broker = Broker("kafka", overrides=quick, timeout=180)
        else:
            broker = context.broker(overrides=quick)
        with broker:
            told.append(story(broker.address))
    ours, theirs = told
    for command, said_there in theirs.items():
        print(f"    {command}\n        " + "\n        ".join(said_there))
        absent("\n".join(said_there), "UnsupportedVersion")
        equal(ours[command], said_there, command)
    tables = "\n".join(theirs["reset: share-groups --describe --group " + GROUP])
    assert re.search(rf"^{GROUP} {TOPIC} 0 0 4$", tables, re.M), tables


main("share_groups")
