"""kcat (librdkafka): -P, -C, -L and -Q."""

import json
import re
import subprocess
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from broker import kafka
from check import case, equal, main
from wire import api_versions, batches

# librdkafka sends lz4 only to a broker that advertises FindCoordinator, and silently falls back to no compression otherwise.
FIND_COORDINATOR = 10


def kcat(broker, *args, stdin=None):
    done = subprocess.run(["kcat", "-b", broker.address, *map(str, args)], input=stdin, capture_output=True, text=True, timeout=60,
                          **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
    # A broker may ask for the producer id again while it fetches a block of them: librdkafka says so and retries.
    lines = [l for l in done.stderr.splitlines() if l and not re.search("^% Reached end of topic|Failed to acquire idempotence PID .* retrying$", l)]
    equal((done.returncode, lines), (0, []), f"exit code and stderr of kcat {' '.join(map(str, args))}")
    return done.stdout


def created(broker, topic, partitions=1):
    kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", topic, "--partitions", partitions)


@case
def produce_and_consume(context):
    broker = context.shared
    created(broker, "kcat", 2)
    lines = [f"key{n}:value {n} é" for n in range(500)]
    kcat(broker, "-P", "-t", "kcat", "-p", 1, "-K", ":", "-H", "origin=here", stdin="\n".join(lines) + "\n")
    got = kcat(broker, "-C", "-t", "kcat", "-p", 1, "-o", "beginning", "-e", "-f", "%o %k:%s %h\n").splitlines()
    equal(got, [f"{n} {line} origin=here" for n, line in enumerate(lines)], "records")
    equal(kcat(broker, "-C", "-t", "kcat", "-p", 0, "-o", "beginning", "-e"), "", "the other partition")
    tail = kcat(broker, "-C", "-t", "kcat", "-p", 1, "-o", -3, "-e", "-f", "%o\n").split()
    equal(tail, ["497", "498", "499"], "the last three")
    one = kcat(broker, "-C", "-t", "kcat", "-p", 1, "-o", 250, "-c", 1, "-f", "%o\n").split()
    equal(one, ["250"], "from the middle of a batch")


@case
def every_compression(context):
    broker = context.shared
    lz4 = "lz4" if FIND_COORDINATOR in api_versions(broker.address) else "none"
    for codec, expected in (("none", "none"), ("gzip", "gzip"), ("snappy", "snappy"), ("lz4", lz4), ("zstd", "zstd")):
        topic = f"kcat-{codec}"
        created(broker, topic)
        lines = [f"{codec} {n} " + "abc" * 30 for n in range(200)]
        kcat(broker, "-P", "-t", topic, "-p", 0, "-z", codec, "-X", "linger.ms=100", stdin="\n".join(lines) + "\n")
        equal({b.codec for b in batches(broker.address, topic)}, {expected}, f"codec stored for {codec}")
        equal(kcat(broker, "-C", "-t", topic, "-o", "beginning", "-e").splitlines(), lines, "lines")


@case
def idempotent_producer(context):
    broker = context.shared
    created(broker, "kcat-idempotent")
    kcat(broker, "-P", "-t", "kcat-idempotent", "-X", "enable.idempotence=true", stdin="one\ntwo\n")
    found = batches(broker.address, "kcat-idempotent")
    equal(sum(b.count for b in found), 2, "records")
    equal([b.producer_id >= 0 and b.sequence >= 0 for b in found], [True] * len(found), "batches with producer id and sequence")


@case
def list_metadata(context):
    broker = context.shared
    created(broker, "kcat-list", 3)
    text = kcat(broker, "-L", "-t", "kcat-list")
    equal(text.splitlines()[1:3], [" 1 brokers:", f"  broker 1 at {broker.address} (controller)"], "brokers")
    told = json.loads(kcat(broker, "-L", "-J"))
    equal([(b["id"], b["name"]) for b in told["brokers"]], [(1, broker.address)], "brokers as JSON")
    topic = next(t for t in told["topics"] if t["topic"] == "kcat-list")
    expected = [{"partition": p, "leader": 1, "replicas": [{"id": 1}], "isrs": [{"id": 1}]} for p in range(3)]
    equal(sorted(topic["partitions"], key=lambda p: p["partition"]), expected, "partitions")


@case
def query_offsets_by_time(context):
    broker = context.shared
    created(broker, "kcat-query")
    kcat(broker, "-P", "-t", "kcat-query", "-p", 0, stdin="a\nb\nc\n")
    ask = lambda at: kcat(broker, "-Q", "-t", f"kcat-query:0:{at}").strip()
    equal(ask(-2), "kcat-query [0] offset 0", "earliest")
    equal(ask(-1), "kcat-query [0] offset 3", "latest")
    equal(ask(0), "kcat-query [0] offset 0", "since 1970")
    equal(ask(4102444800000), "kcat-query [0] offset -1", "in the year 2100")


main("kcat")
