"""kafka-console-producer and kafka-console-consumer. The consumer exits with 0 on errors: its output is what counts."""

import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from broker import kafka
from check import absent, case, contains, equal, main
from wire import batches


def produce(broker, topic, lines, *options):
    done = kafka("console-producer", "--bootstrap-server", broker.address, "--topic", topic, *options, stdin="".join(f"{l}\n" for l in lines))
    absent(done.stderr + done.stdout, "ERROR", "Exception")


def consume(broker, topic, count, *options):
    done = kafka("console-consumer", "--bootstrap-server", broker.address, "--topic", topic, "--partition", 0, "--max-messages", count,
                 "--timeout-ms", 20000, *options)
    absent(done.stderr, "ERROR", "Exception")
    contains(done.stderr, f"Processed a total of {count} messages")
    return done.stdout.splitlines()


@case
def what_was_typed_comes_back(context):
    broker = context.shared
    kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", "typed", "--partitions", 1)
    lines = [f"line {n} äöü" for n in range(300)] + ["", "x" * 20000]
    produce(broker, "typed", lines)
    equal(consume(broker, "typed", len(lines), "--offset", "earliest"), lines, "lines from the beginning")
    equal(consume(broker, "typed", 2, "--offset", 300), lines[300:], "lines from offset 300")


@case
def keys_and_offsets_are_kept(context):
    broker = context.shared
    kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", "keyed", "--partitions", 1)
    produce(broker, "keyed", [f"k{n}:v{n}" for n in range(20)], "--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
    got = consume(broker, "keyed", 20, "--offset", "earliest", "--formatter-property", "print.key=true", "--formatter-property", "print.offset=true",
                  "--formatter-property", "print.partition=true")
    equal(got, [f"Partition:0\tOffset:{n}\tk{n}\tv{n}" for n in range(20)], "keyed lines")


@case
def compressed_as_asked(context):
    broker = context.shared
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        topic = f"typed-{codec}"
        kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", topic, "--partitions", 1)
        lines = [f"{codec} {n} " + "abc" * 50 for n in range(100)]
        produce(broker, topic, lines, "--compression-codec", codec, "--command-property", "linger.ms=50")
        equal({b.codec for b in batches(broker.address, topic)}, {codec}, "codec stored")
        equal(consume(broker, topic, 100, "--offset", "earliest"), lines, "lines")


main("console")
