"""Groups of the consumer protocol (KIP-848) with librdkafka and Kafka's own consumer and tools: both assignors, regular expressions, crashes, static
members, from the classic protocol and back, and a directory that changes hands."""

import re
import subprocess
import sys, pathlib
import time
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from confluent_kafka.admin import NewPartitions

from broker import QUICK_GROUPS, ROOT, SCRATCH, Broker, kafka
from check import absent, case, contains, equal, main
from members import Member, committed, create, one_then_three_then_two, produce, shared, until

CONSUMER = {"group.protocol": "consumer"}


class Shared:
    """One broker with quick groups for all cases here."""
    broker = None


def quick(context):
    if Shared.broker is None or not Shared.broker.alive():
        Shared.broker = context.broker(overrides=QUICK_GROUPS).start()
    return Shared.broker


def groups(broker, *options, check=True):
    return kafka("consumer-groups", "--bootstrap-server", broker.address, *options, check=check)


def close(members):
    for member in members:
        member.close()


@case
def members_come_and_go(context):
    broker = quick(context)
    for assignor in ("uniform", "range"):
        topic = f"cg-shared-{assignor}"

        def with_three(members):
            equal(sorted(len(member.given) for member in members), [2, 2, 2], "partitions of each")
            described = groups(broker, "--describe", "--group", topic, "--state").stdout
            assert re.search(rf" {assignor} +Stable +3 *$", described, re.M), described

        one_then_three_then_two(broker, topic, {**CONSUMER, "group.remote.assignor": assignor}, with_three)


@case
def a_regular_expression_finds_new_topics(context):
    broker = quick(context)
    create(broker, "cg-re-a", 2)
    create(broker, "cg-other", 2)
    produce(broker, "cg-re-a", 2, 10)
    members = [Member(broker, "cg-regex", "^cg-re-.*", **CONSUMER)]
    until(members, lambda: len(members[0].read) == 20, "what matches is read")
    create(broker, "cg-re-b", 1)
    produce(broker, "cg-re-b", 1, 10)
    until(members, lambda: len(members[0].read) == 30, "a topic that came later is read")
    equal(members[0].topics, {"cg-re-a", "cg-re-b"}, "topics")
    close(members)


@case
def new_partitions_and_a_member_that_crashes(context):
    broker = quick(context)
    admin = create(broker, "cg-grows", 2)
    members = [Member(broker, "cg-grows", "cg-grows", **CONSUMER) for _ in range(2)]
    until(members, lambda: shared(members, 2), "both have one")
    admin.create_partitions([NewPartitions("cg-grows", 4)])["cg-grows"].result(30)
    until(members, lambda: shared(members, 4), "the new partitions have owners")
    silent = subprocess.Popen([sys.executable, "-c", f"""
from confluent_kafka import Consumer
c = Consumer({{"bootstrap.servers": "{broker.address}", "group.id": "cg-grows", "group.protocol": "consumer"}})
c.subscribe(["cg-grows"])
while True: c.poll(0.1)
"""], stdout=subprocess.PIPE, text=True)
    try:
        until(members, lambda: len([p for m in members for p in m.given]) < 4, "the third has some")
    finally:
        silent.kill()
        silent.wait()
    until(members, lambda: shared(members, 4), "the others have all again")
    close(members)


@case
def a_static_member_comes_back_to_its_place(context):
    broker = quick(context)
    create(broker, "cg-static", 4)
    members = [Member(broker, "cg-static", "cg-static", **CONSUMER, **{"group.instance.id": f"i{n}"}) for n in range(2)]
    until(members, lambda: shared(members, 4), "both have two")
    before = set(members[1].given)
    revoked = []
    members[0]._revoke = lambda _, partitions: revoked.append(partitions)
    # It says that it will be back.
    members[1].close()
    members[1] = Member(broker, "cg-static", "cg-static", **CONSUMER, **{"group.instance.id": "i1"})
    until(members, lambda: members[1].given == before, "it has what it had")
    equal((len(members[0].given), revoked), (2, []), "partitions of the other, and what it lost")
    close(members)


@case
def a_group_goes_on_where_it_was(context):
    broker = quick(context)
    create(broker, "cg-onwards", 2)
    produce(broker, "cg-onwards", 2, 50)
    first = Member(broker, "cg-onwards", "cg-onwards", **CONSUMER)
    until([first], lambda: len(first.read) >= 60, "most is read")
    first.commit()
    first.close()
    done = sum(committed(broker, "cg-onwards", "cg-onwards", 2))
    equal(done, len(first.read), "committed")
    rest = Member(broker, "cg-onwards", "cg-onwards", **CONSUMER)
    until([rest], lambda: len(rest.read) == 100 - done, "the rest is read")
    equal(len(set(first.read) | set(rest.read)), 100, "different records of both")
    rest.close()


def type_of(broker, group):
    table = groups(broker, "--list", "--type").stdout
    return re.search(rf"^{group} +(\w+)", table, re.M)[1]


@case
def member_by_member_to_the_consumer_protocol_and_back(context):
    broker = quick(context)
    create(broker, "cg-roll", 6)
    produce(broker, "cg-roll", 6, 20)
    seen = []

    def replace(members, at, **settings):
        old = members[at]
        old.commit()
        seen.extend(old.read)
        old.close()
        members[at] = Member(broker, "cg-roll", "cg-roll", **settings)
        until(members, lambda: shared(members, 6), f"all share with {settings}")

    members = [Member(broker, "cg-roll", "cg-roll") for _ in range(3)]
    until(members, lambda: shared(members, 6), "three classic members share")
    until(members, lambda: len({v for m in members for v in m.read}) == 120, "all is read")
    equal(type_of(broker, "cg-roll"), "Classic", "type before")
    for at in range(3):
        replace(members, at, **CONSUMER)
        equal(type_of(broker, "cg-roll"), "Consumer", f"type after {at + 1} members")
    produce(broker, "cg-roll", 6, 20, 20)
    until(members, lambda: len({v for m in members for v in m.read}) == 120, "what came meanwhile is read")
    for at in range(3):
        replace(members, at)
    equal(type_of(broker, "cg-roll"), "Classic", "type in the end")
    for member in members:
        member.commit()
        seen.extend(member.read)
    close(members)
    equal((len(seen), len(set(seen))), (240, 240), "records read, and different ones")
    equal(committed(broker, "cg-roll", "cg-roll", 6), [40] * 6, "committed")


def console(broker, topic, group, *options):
    return subprocess.Popen([str(ROOT / "scripts/kafka"), "console-consumer", "--bootstrap-server", broker.address, "--topic", topic, "--group", group,
                             "--from-beginning", "--consumer-property", "group.protocol=consumer", "--consumer-property", "client.id=reader", *options],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def told_by_tools(broker):
    """What the tools say of a group with one member, and without; ids and ports by a word."""
    create(broker, "cg-told", 2)
    produce(broker, "cg-told", 2, 5)
    reader = console(broker, "cg-told", "cg-tool", "--consumer-property", "auto.commit.interval.ms=100")
    texts = []
    try:
        equal(len([reader.stdout.readline() for _ in range(10)]), 10, "lines")
        end = time.monotonic() + 30
        while committed(broker, "cg-tool", "cg-told", 2) != [5, 5]:
            assert time.monotonic() < end, "the reader does not commit"
        for options in ((), ("--state",), ("--state", "--verbose"), ("--members",), ("--members", "--verbose"), ("--offsets", "--verbose")):
            texts.append(groups(broker, "--describe", "--group", "cg-tool", *options).stdout)
        texts.append(groups(broker, "--list", "--state", "Stable").stdout)
        refused = groups(broker, "--delete", "--group", "cg-tool", check=False)
        texts.append(refused.stdout)
        contains(refused.stdout + refused.stderr, "The group is not empty.")
    finally:
        reader.terminate()
        reader.wait(30)
    texts.append(groups(broker, "--describe", "--group", "cg-tool", "--state").stdout)
    texts.append(groups(broker, "--reset-offsets", "--group", "cg-tool", "--topic", "cg-told", "--to-earliest", "--execute").stdout)
    texts.append(groups(broker, "--delete-offsets", "--group", "cg-tool", "--topic", "cg-told:0").stdout)
    texts.append(groups(broker, "--delete", "--group", "cg-tool").stdout)
    texts = [text.replace(broker.address, "ADDRESS") for text in texts]
    texts = [re.sub(r"[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text) for text in texts]
    # Columns are as wide as their values.
    return ["\n".join(sorted(" ".join(line.split()) for line in text.splitlines())) for text in texts]


@case
def tools_say_what_they_say_of_kafka(context):
    ours = told_by_tools(quick(context))
    with Broker("kafka", overrides=QUICK_GROUPS, timeout=120) as other:
        theirs = told_by_tools(other)
    for our, their in zip(ours, theirs, strict=True):
        equal(our, their, "what a tool says")
    contains(ours[1], "cg-tool ADDRESS (1) uniform Stable 1")


@case
def features_are_kafkas(context):
    told = kafka("features", "--bootstrap-server", quick(context).address, "describe").stdout
    assert re.search(r"Feature: group.version\s+SupportedMinVersion: 0\s+SupportedMaxVersion: 1\s+FinalizedVersionLevel: 1", told), told


@case
def what_is_kept_is_in_kafkas_format(context):
    """A group goes from Kafka's directory to ours and back, with its members' epochs and what it has committed."""
    path = SCRATCH / "cg-handed"

    def read(broker, count):
        member = Member(broker, "cg-handed", "cg-handed", **CONSUMER)
        until([member], lambda: len(member.read) >= count, f"{count} are read")
        member.commit()
        member.close()
        return groups(broker, "--describe", "--group", "cg-handed", "--state", "--verbose").stdout.replace(broker.address, "")

    broker = Broker("kafka", data=path, overrides=QUICK_GROUPS, timeout=120).start()
    create(broker, "cg-handed", 2)
    produce(broker, "cg-handed", 2, 10)
    before = read(broker, 20)
    broker.stop()
    for kind in ("ours", "kafka", "ours"):
        broker = (context.broker(data=path, overrides=QUICK_GROUPS) if kind == "ours" else Broker("kafka", data=path, overrides=QUICK_GROUPS, timeout=120)).start()
        told = groups(broker, "--describe", "--group", "cg-handed", "--state", "--verbose").stdout.replace(broker.address, "")
        equal(told.split(), before.split(), f"the group, as {kind} tells it")
        offset = committed(broker, "cg-handed", "cg-handed", 2)
        produce(broker, "cg-handed", 2, 10, offset[0])
        before = read(broker, 20)
        equal(committed(broker, "cg-handed", "cg-handed", 2), [offset[0] + 10] * 2, f"committed at {kind}")
        broker.stop()
    logs = [log for log in sorted(path.glob("__consumer_offsets-*/*.log")) if log.stat().st_size]
    seen = kafka("dump-log", "--offsets-decoder", "--files", ",".join(map(str, logs))).stdout
    for kind in (3, 5, 6, 7, 8):
        contains(seen, f'"type":"{kind}","data":{{"groupId":"cg-handed"')
    absent(seen, "Could not decode", "could not be decoded", "isvalid: false")


@case
def the_end(context):
    """The broker of these cases stops cleanly."""
    quick(context).stop()
    Shared.broker.remove()


main("consumer groups")
