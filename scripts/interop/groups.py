"""Groups with Kafka's own tools: kafka-console-consumer, kafka-consumer-groups, kafka-consumer-perf-test, kafka-dump-log."""

import re
import subprocess
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from broker import ROOT, kafka
from check import absent, case, contains, equal, main


def groups(broker, *options, check=True):
    return kafka("consumer-groups", "--bootstrap-server", broker.address, *options, check=check)


def fill(broker, topic, partitions, lines):
    """A topic with as many lines, dealt out to its partitions. Not by a tool: what is tested here is reading."""
    admin = AdminClient({"bootstrap.servers": broker.address})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": broker.address})
    for n in range(lines):
        producer.produce(topic, value=str(n), partition=n % partitions)
    equal(producer.flush(30), 0, "lines left unsent")


def consume(broker, topic, group, count, *options):
    done = kafka("console-consumer", "--bootstrap-server", broker.address, "--topic", topic, "--group", group, "--max-messages", count,
                 "--timeout-ms", 20000, *options)
    absent(done.stderr, "ERROR", "Exception")
    contains(done.stderr, f"Processed a total of {count} messages")
    return done.stdout.splitlines()


def offsets(broker, group):
    """Partition to (current offset, log end offset, lag), of one topic."""
    table = groups(broker, "--describe", "--group", group).stdout
    rows = [line.split() for line in table.splitlines() if line.startswith(group)]
    return {int(row[2]): tuple(row[3:6]) for row in rows}


@case
def a_group_goes_on_where_it_was(context):
    broker = context.shared
    fill(broker, "onwards", 3, 100)
    first = consume(broker, "onwards", "onward", 40, "--from-beginning")
    rest = consume(broker, "onwards", "onward", 60)
    equal(sorted(map(int, first + rest)), list(range(100)), "lines of both")
    told = offsets(broker, "onward")
    equal((len(told), sum(int(at) for at, _, _ in told.values())), (3, 100), "partitions and offsets")
    equal({lag for _, _, lag in told.values()}, {"0"}, "lag")


@case
def list_and_describe(context):
    broker = context.shared
    fill(broker, "told", 2, 10)
    consume(broker, "told", "tellers", 10, "--from-beginning")
    contains(groups(broker, "--list").stdout, "tellers\n")
    absent(groups(broker, "--list", "--state", "Stable").stdout, "tellers")
    state = groups(broker, "--describe", "--group", "tellers", "--state").stdout
    assert re.search(rf"^tellers +{re.escape(broker.address)} +\(1\) +(- +)?Empty +0 *$", state, re.M), state
    missing = groups(broker, "--describe", "--group", "nobody", check=False)
    contains(missing.stdout + missing.stderr, "Group nobody not found.")


@case
def a_member_is_described(context):
    broker = context.shared
    fill(broker, "live", 2, 10)
    reader = subprocess.Popen([str(ROOT / "scripts/kafka"), "console-consumer", "--bootstrap-server", broker.address, "--topic", "live", "--group", "alive",
                               "--from-beginning", "--command-property", "client.id=reader"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        equal(sorted(int(reader.stdout.readline()) for _ in range(10)), list(range(10)), "lines")
        members = groups(broker, "--describe", "--group", "alive", "--members", "--verbose").stdout
        assert re.search(r"^alive +reader-[0-9a-f-]{36} +/127\.0\.0\.1 +reader +2 ", members, re.M), members
        contains(members, "live:0,1" if "live:0,1" in members else "live(0,1)")
        state = groups(broker, "--describe", "--group", "alive", "--state").stdout
        assert re.search(r"^alive .* range +Stable +1 *$", state, re.M), state
        refused = groups(broker, "--delete", "--group", "alive", check=False)
        contains(refused.stdout + refused.stderr, "The group is not empty.")
        refused = groups(broker, "--reset-offsets", "--to-earliest", "--group", "alive", "--topic", "live", "--execute", check=False)
        contains(refused.stdout + refused.stderr, "Assignments can only be reset if the group 'alive' is inactive")
    finally:
        reader.terminate()
        reader.wait(20)


@case
def reset_and_delete(context):
    broker = context.shared
    fill(broker, "reset", 2, 20)
    consume(broker, "reset", "resetters", 20, "--from-beginning")
    groups(broker, "--reset-offsets", "--group", "resetters", "--topic", "reset", "--shift-by", -3, "--execute")
    moved = offsets(broker, "resetters")
    equal({lag for at, end, lag in moved.values() if int(end) >= 3}, {"3"}, "lag after a shift by -3")
    groups(broker, "--reset-offsets", "--group", "resetters", "--topic", "reset", "--to-earliest", "--execute")
    again = consume(broker, "reset", "resetters", 20)
    equal(sorted(map(int, again)), list(range(20)), "lines read again")
    contains(groups(broker, "--delete-offsets", "--group", "resetters", "--topic", "reset:0").stdout, "Successful")
    equal(list(offsets(broker, "resetters")), [1], "partitions left")
    contains(groups(broker, "--delete", "--group", "resetters").stdout, "was successful")
    absent(groups(broker, "--list").stdout, "resetters")


@case
def perf_test(context):
    broker = context.shared
    kafka("topics", "--bootstrap-server", broker.address, "--create", "--topic", "perf", "--partitions", 4)
    kafka("producer-perf-test", "--topic", "perf", "--num-records", 20000, "--record-size", 100, "--throughput", -1,
          "--command-property", f"bootstrap.servers={broker.address}")
    done = kafka("consumer-perf-test", "--bootstrap-server", broker.address, "--topic", "perf", "--num-records", 20000, "--group", "perf", "--timeout", 30000)
    row = [field.strip() for field in done.stdout.splitlines()[-1].split(",")]
    equal(row[4], "20000", f"records in {row}")
    equal(sum(int(at) for at, _, _ in offsets(broker, "perf").values()), 20000, "committed")


@case
def what_is_kept_is_in_kafkas_format(context):
    """After a clean stop Kafka's own decoder reads every record of the topic, and the next start goes on with it."""
    broker = context.broker().start()
    try:
        fill(broker, "kept", 2, 10)
        consume(broker, "kept", "keeper", 10, "--from-beginning")
        before = offsets(broker, "keeper")
        broker.stop()
        logs = [log for log in sorted(broker.topics.glob("__consumer_offsets-*/*.log")) if log.stat().st_size]
        seen = kafka("dump-log", "--offsets-decoder", "--files", ",".join(map(str, logs))).stdout
        for expected in ('"type":"1","data":{"group":"keeper","topic":"kept","partition":0}', '"type":"2","data":{"group":"keeper"}', '"version":"4"', '"protocolType":"consumer"'):
            contains(seen, expected)
        absent(seen, "Could not decode", "could not be decoded", "isvalid: false")
        broker.start()
        equal(offsets(broker, "keeper"), before, "offsets after a restart")
    finally:
        broker.stop()
        broker.remove()


main("groups")
