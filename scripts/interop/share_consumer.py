"""Share groups (KIP-932) with Kafka's own share consumer, and its console tool."""

import re
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from broker import kafka
from check import absent, case, contains, equal, main
from drivers import HERE, Driven, java

# The cases are methods of one program, so that a JVM starts once.
for name in re.findall(r"^    static void (\w+)\(\) throws", (HERE / "java/ShareCases.java").read_text(), re.M):
    function = lambda context, name=name: context.client._call(name, {})
    function.__name__ = name
    case(function)


@case
def the_console_tool_reads_what_was_produced(context):
    broker = context.shared
    kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", "share-typed", "--partitions", 1)
    kafka("configs", "--bootstrap-server", broker.address, "--alter", "--entity-type", "groups", "--entity-name", "share-typed", "--add-config",
          "share.auto.offset.reset=earliest")
    lines = [f"line {n}" for n in range(50)]
    kafka("console-producer", "--bootstrap-server", broker.address, "--topic", "share-typed", stdin="".join(f"{line}\n" for line in lines))
    read = ["console-share-consumer", "--bootstrap-server", broker.address, "--topic", "share-typed", "--group", "share-typed", "--timeout-ms", 20000]
    done = kafka(*read, "--max-messages", 50)
    absent(done.stderr, "ERROR", "Exception")
    contains(done.stderr, "Processed a total of 50 messages")
    equal(done.stdout.splitlines(), lines, "lines")


def driven(context, _):
    context.settings |= {"group.share.min.record.lock.duration.ms": 1000}
    return Driven(context, java("ShareCases"))


main("share consumer", wrap=driven)
