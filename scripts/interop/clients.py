"""What the users of a client do, with any client that has a driver: scripts/interop/clients.py --client franz-go [--kafka] [WORD..].

One list of cases for all, so that what one client sees every client is asked to see. A case for which a library lacks an operation is left out for it,
and said so.
"""

import sys, pathlib, time
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from check import LeftOut, case, equal, main
from client import Refused, content, record, until, value
from drivers import Driven, command
from wire import at_least, serves

# Kafka's error codes
UNKNOWN_TOPIC, TOO_LARGE, BAD_TOPIC, EXISTS, BAD_PARTITIONS, BAD_CONFIG, NON_EMPTY, NO_GROUP = 3, 10, 17, 36, 37, 40, 68, 69
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
# ms; the least that brokers allow
SESSION = 6000


def needs(*operations):
    """A case for those libraries that have these operations."""
    def of(function):
        def run(context):
            lacking = [o for o in operations if o not in context.client.operations]
            if lacking:
                raise LeftOut(f"the library has no {', '.join(lacking)}")
            function(context)
        run.__name__ = function.__name__
        return case(run)
    return of


def create(context, topic, partitions=1, **configs):
    context.client.create_topic(topic=topic, partitions=partitions, configs={k.replace("_", "."): str(v) for k, v in configs.items()})
    # The real Kafka's brokers may answer before they know of it.
    until(lambda: len(partitions_of(context, topic)) == partitions, f"{topic} has its partitions")
    until(lambda: all(serves(context.shared.address, topic, p) for p in range(partitions)), f"{topic} is served")


def partitions_of(context, topic):
    try:
        return context.client.partitions(topic=topic)
    except Refused:
        return {}


def produce(context, topic, records, codec="none", acks=-1, idempotent=False):
    return context.client.produce(topic=topic, codec=codec, acks=acks, idempotent=idempotent, records=records)


def fill(context, topic, partitions, each, first=0):
    """Records whose values name their partition and their number."""
    produce(context, topic, [record(b"%d %d" % (p, n), partition=p) for n in range(first, first + each) for p in range(partitions)])


def refused(code, ask, what):
    try:
        answer = ask()
    except Refused as error:
        equal(error.code, code, f"{what}: the code of {error}")
    else:
        raise AssertionError(f"{what}: not refused, but answered {answer}")


def join(context, group, topic, client=None, instance=None, strategy=None, **protocol):
    return (client or context.client).join(group=group, topic=topic, session_ms=SESSION, instance=instance, strategy=strategy, **protocol)


def shared(context, members, partitions):
    """Each partition has one owner, and everybody has some."""
    given = [context.client.assigned(member=m) for m in members]
    return sorted(p for g in given for p in g) == list(range(partitions)) and all(given)


def values(records):
    return [value(r) for r in records]


@needs("create_topic", "topics", "partitions", "delete_topic")
def topics_are_created_and_deleted(context):
    create(context, "plain", 4)
    assert "plain" in context.client.topics()
    equal(context.client.partitions(topic="plain"), {str(p): 1 for p in range(4)}, "partitions and their leaders")
    refused(EXISTS, lambda: context.client.create_topic(topic="plain", partitions=1, configs={}), "a topic that is there")
    refused(BAD_TOPIC, lambda: context.client.create_topic(topic="bad name", partitions=1, configs={}), "a bad name")
    refused(BAD_CONFIG, lambda: context.client.create_topic(topic="odd", partitions=1, configs={"retention.ms": "soon"}), "a bad config")
    context.client.delete_topic(topic="plain")
    until(lambda: "plain" not in context.client.topics(), "plain is gone")
    refused(UNKNOWN_TOPIC, lambda: context.client.delete_topic(topic="plain"), "a topic that is gone")


@needs("add_partitions")
def partitions_are_added(context):
    create(context, "grows", 2)
    context.client.add_partitions(topic="grows", total=5)
    until(lambda: len(partitions_of(context, "grows")) == 5, "five partitions")
    refused(BAD_PARTITIONS, lambda: context.client.add_partitions(topic="grows", total=3), "fewer partitions")
    equal(produce(context, "grows", [record(b"v", partition=4)]), [[4, 0]], "acknowledged in a new partition")


@needs("configs")
def configs_are_described(context):
    create(context, "tuned", 1, retention_ms=86400000, cleanup_policy="compact")
    found = context.client.configs(topic="tuned")
    expected = {"retention.ms": "86400000", "cleanup.policy": "compact", "segment.bytes": "1073741824", "message.timestamp.type": "CreateTime", "compression.type": "producer"}
    equal({k: found.get(k) for k in expected}, expected, "configs")


@needs("configs", "alter_config")
def configs_are_altered(context):
    create(context, "altered", 1)
    context.client.alter_config(topic="altered", name="max.message.bytes", value="3000")
    until(lambda: context.client.configs(topic="altered")["max.message.bytes"] == "3000", "the config is in force")
    refused(TOO_LARGE, lambda: produce(context, "altered", [record(b"x" * 5000)]), "a record over the new limit")
    refused(BAD_CONFIG, lambda: context.client.alter_config(topic="altered", name="max.message.bytes", value="many"), "a bad value")


@needs("produce", "read")
def every_codec_and_acks(context):
    sent = [record(b"abc" * 30 + b"%d" % n, key=b"k%d" % n) for n in range(200)]
    for acks in (0, 1, -1):
        for codec in (c for c in CODECS if c in context.client.operations):
            topic = f"codec-{acks}-{codec}"
            create(context, topic)
            acknowledged = produce(context, topic, [r | {"partition": 0} for r in sent], codec=codec, acks=acks)
            if acks:
                equal(acknowledged, [[0, n] for n in range(200)], f"acknowledged of {topic}")
            batches = at_least(200, context.shared.address, topic)
            equal({b.codec for b in batches}, {codec}, f"codec stored of {topic}")
            [found] = context.client.read(topic=topic, partition=0, offsets=[0], count=200)
            equal([r["offset"] for r in found], list(range(200)), f"offsets of {topic}")
            equal(list(map(content, found)), list(map(content, sent)), f"records of {topic}")


@needs("produce", "read")
def keys_headers_nulls_and_times(context):
    create(context, "shapes")
    base = 1_700_000_000_000
    every = bytes(range(256))
    sent = [record(b"plain"), record(None, key=b"tombstone"), record(b"", key=b""), record(every, key=every, headers=[("all", every)]),
            record(b"headers", headers=[("a", b"1"), ("a", b"2"), ("b", b"")]), record(b"long" * 50_000, key=b"long")]
    acknowledged = produce(context, "shapes", [r | {"partition": 0, "timestamp": base + n} for n, r in enumerate(sent)])
    equal(acknowledged, [[0, n] for n in range(len(sent))], "acknowledged")
    [found] = context.client.read(topic="shapes", partition=0, offsets=[0], count=len(sent))
    # Some libraries read what is empty as null.
    seen = content if "empty" in context.client.operations else lambda r: (value(r) or None, content(r)[1] or None, [(name, some or None) for name, some in content(r)[2]])
    for n, (got, expected) in enumerate(zip(found, sent)):
        equal(seen(got), seen(expected), f"record {n}")
    equal([r["timestamp"] - base for r in found], list(range(len(sent))), "timestamps")


@needs("idempotent", "produce", "read")
def an_idempotent_producer(context):
    create(context, "once", 2)
    sent = [record(b"%d" % n, key=b"k%d" % n, partition=n % 2) for n in range(500)]
    equal(sorted(produce(context, "once", sent, idempotent=True)), [[p, n] for p in range(2) for n in range(250)], "acknowledged")
    for partition in range(2):
        batches = at_least(250, context.shared.address, "once", partition)
        equal({b.producer_id >= 0 for b in batches}, {True}, "batches have a producer id")
        equal([b.sequence for b in batches], [b.base for b in batches], "sequences")
        [found] = context.client.read(topic="once", partition=partition, offsets=[0], count=250)
        equal(values(found), [b"%d" % n for n in range(partition, 500, 2)], "values")


@needs("produce", "read")
def keys_choose_the_partition(context):
    create(context, "keyed", 4)
    sent = [record(b"%d" % n, key=b"key %d" % (n % 20)) for n in range(200)]
    acknowledged = produce(context, "keyed", sent)
    placed = {}
    for r, (partition, offset) in zip(sent, acknowledged):
        placed.setdefault(partition, []).append((offset, content(r)))
    assert len(placed) > 1, "all keys in one partition"
    owners = {}
    for partition, expected in placed.items():
        [found] = context.client.read(topic="keyed", partition=partition, offsets=[0], count=len(expected))
        equal([(r["offset"], content(r)) for r in found], sorted(expected), f"records of partition {partition}")
        for r in found:
            owners.setdefault(r["key"], set()).add(partition)
    equal({len(p) for p in owners.values()}, {1}, "partitions of a key")


@needs("read")
def a_consumer_seeks(context):
    create(context, "seeks")
    produce(context, "seeks", [record(b"%05d" % n + b"x" * 100, partition=0) for n in range(3000)])
    targets = [2990, 0, 1500, 7, 2500, 0]
    found = context.client.read(topic="seeks", partition=0, offsets=targets, count=10)
    equal([[(r["offset"], value(r)[:5]) for r in some] for some in found], [[(n, b"%05d" % n) for n in range(t, t + 10)] for t in targets], "records")


@needs("offset")
def offsets_by_time(context):
    create(context, "times", 2)
    base = 1_700_000_000_000
    produce(context, "times", [record(b"v", partition=0, timestamp=base + 10 * n) for n in range(100)])
    ask = lambda at, partition=0: context.client.offset(topic="times", partition=partition, at=at)
    equal([ask("earliest"), ask("latest"), ask("earliest", 1), ask("latest", 1)], [0, 100, 0, 0], "ends")
    equal([ask(base - 5), ask(base), ask(base + 1), ask(base + 500), ask(base + 990)], [0, 0, 1, 50, 99], "by time")
    beyond = ask(base + 991)
    # Some libraries answer the end where Kafka answers that there is none.
    assert beyond in (-1, 100), f"after the last record: {beyond}"


@needs("delete_records")
def records_are_deleted(context):
    create(context, "cut")
    fill(context, "cut", 1, 100)
    equal(context.client.delete_records(topic="cut", partition=0, offset=40), 40, "the new log start")
    equal(context.client.offset(topic="cut", partition=0, at="earliest"), 40, "the earliest offset")
    [found] = context.client.read(topic="cut", partition=0, offsets=[40], count=60)
    equal(values(found), [b"0 %d" % n for n in range(40, 100)], "what is left")


@needs("produce")
def what_is_refused_is_said(context):
    create(context, "small", 1, max_message_bytes=2000)
    refused(TOO_LARGE, lambda: produce(context, "small", [record(b"x" * 5000, partition=0)]), "a record over max.message.bytes")
    equal(produce(context, "small", [record(b"fits", partition=0)]), [[0, 0]], "the next record")


@needs("join")
def two_members_come_and_go(context):
    create(context, "shared", 4)
    fill(context, "shared", 4, 50)
    first = join(context, "pair", "shared")
    until(lambda: shared(context, [first], 4), "one member has all")
    taken = context.client.take(member=first, count=200)
    equal(sorted(values(taken)), sorted(b"%d %d" % (p, n) for p in range(4) for n in range(50)), "what one read")
    context.client.commit(member=first)
    second = join(context, "pair", "shared")
    until(lambda: shared(context, [first, second], 4), "two members share")
    fill(context, "shared", 4, 50, 50)
    both = {m: context.client.take(member=m, count=50 * len(context.client.assigned(member=m))) for m in (first, second)}
    equal(sorted(v for some in both.values() for v in values(some)), sorted(b"%d %d" % (p, n) for p in range(4) for n in range(50, 100)), "what both read, nothing twice")
    for member, some in both.items():
        equal({r["partition"] for r in some}, set(context.client.assigned(member=member)), "partitions read")
        context.client.commit(member=member)
    context.client.leave(member=first)
    until(lambda: shared(context, [second], 4), "one is left")
    fill(context, "shared", 4, 10, 100)
    equal(sorted(values(context.client.take(member=second, count=40))), sorted(b"%d %d" % (p, n) for p in range(4) for n in range(100, 110)), "what the last read")
    context.client.commit(member=second)
    context.client.leave(member=second)
    equal(context.client.committed(group="pair", topic="shared"), {str(p): 110 for p in range(4)}, "committed")


@needs("join")
def a_group_resumes_where_it_committed(context):
    create(context, "resumes")
    fill(context, "resumes", 1, 100)
    member = join(context, "resumers", "resumes")
    equal(values(context.client.take(member=member, count=37)), [b"0 %d" % n for n in range(37)], "the first part")
    context.client.commit(member=member)
    # Taken, not committed: it comes again.
    equal(values(context.client.take(member=member, count=3)), [b"0 %d" % n for n in range(37, 40)], "not committed")
    context.client.leave(member=member)
    equal(context.client.committed(group="resumers", topic="resumes"), {"0": 37}, "committed")
    member = join(context, "resumers", "resumes")
    found = context.client.take(member=member, count=63)
    equal([(r["offset"], value(r)) for r in found], [(n, b"0 %d" % n) for n in range(37, 100)], "the rest")
    context.client.leave(member=member)


@needs("join")
def a_member_that_is_killed_is_replaced(context):
    create(context, "killed", 2)
    fill(context, "killed", 2, 20)
    other = context.another()
    silent = join(context, "victims", "killed", other)
    until(lambda: sorted(other.assigned(member=silent)) == [0, 1], "it has all")
    equal(len(other.take(member=silent, count=40)), 40, "records read")
    other.kill()
    member = join(context, "victims", "killed")
    until(lambda: shared(context, [member], 2), "the other has all")
    equal(sorted(values(context.client.take(member=member, count=40))), sorted(b"%d %d" % (p, n) for p in range(2) for n in range(20)), "what was not committed comes again")
    context.client.leave(member=member)


@needs("groups", "describe_group", "delete_group", "join")
def groups_are_administered(context):
    create(context, "governed", 2)
    fill(context, "governed", 2, 5)
    member = join(context, "governors", "governed")
    equal(len(context.client.take(member=member, count=10)), 10, "records")
    context.client.commit(member=member)
    assert "governors" in context.client.groups()
    equal(context.client.describe_group(group="governors"), {"state": "Stable", "members": 1}, "described with a member")
    refused(NON_EMPTY, lambda: context.client.delete_group(group="governors"), "deleting a group with a member")
    context.client.leave(member=member)
    until(lambda: context.client.describe_group(group="governors") == {"state": "Empty", "members": 0}, "it is empty")
    equal(context.client.committed(group="governors", topic="governed"), {"0": 5, "1": 5}, "committed")
    context.client.delete_group(group="governors")
    assert "governors" not in context.client.groups()
    refused(NO_GROUP, lambda: context.client.delete_group(group="governors"), "deleting it again")


@needs("delete_offsets", "join")
def committed_offsets_are_deleted(context):
    create(context, "forgotten")
    fill(context, "forgotten", 1, 5)
    member = join(context, "forgetters", "forgotten")
    equal(len(context.client.take(member=member, count=5)), 5, "records")
    context.client.commit(member=member)
    context.client.leave(member=member)
    equal(context.client.committed(group="forgetters", topic="forgotten"), {"0": 5}, "committed")
    context.client.delete_offsets(group="forgetters", topic="forgotten")
    equal(context.client.committed(group="forgetters", topic="forgotten"), {}, "committed after")


@needs("static", "join")
def a_static_member_keeps_its_place(context):
    create(context, "static", 4)
    other = context.another()
    stays = join(context, "statics", "static", instance="stays")
    goes = join(context, "statics", "static", other, instance="goes")
    both = lambda: (sorted(context.client.assigned(member=stays)), sorted(other.assigned(member=goes)))
    until(lambda: sorted(both()[0] + both()[1]) == [0, 1, 2, 3] and all(both()), "both have some")
    before = both()
    # It does not leave, and is back before its session ends.
    other.kill()
    other = context.another()
    goes = join(context, "statics", "static", other, instance="goes")
    until(lambda: both() == before, "it has what it had")
    other.leave(member=goes)
    context.client.leave(member=stays)


@needs("cooperative", "join")
def cooperative_members_keep_what_they_have(context):
    create(context, "cooperative", 4)
    members = [join(context, "cooperators", "cooperative", strategy="cooperative")]
    until(lambda: shared(context, members, 4), "one has all")
    members.append(join(context, "cooperators", "cooperative", strategy="cooperative"))
    until(lambda: shared(context, members, 4), "two share")
    equal([len(context.client.assigned(member=m)) for m in members], [2, 2], "partitions of each")
    for member in members:
        context.client.leave(member=member)


@needs("consumer", "join")
def members_of_the_consumer_protocol_come_and_go(context):
    for assignor in ("uniform", "range"):
        topic, group = f"assigned-{assignor}", f"served-{assignor}"
        create(context, topic, 4)
        fill(context, topic, 4, 20)
        enter = lambda: join(context, group, topic, strategy=assignor, protocol="consumer")
        first = enter()
        until(lambda: shared(context, [first], 4), "one member has all")
        equal(sorted(values(context.client.take(member=first, count=80))), sorted(b"%d %d" % (p, n) for p in range(4) for n in range(20)), "what one read")
        context.client.commit(member=first)
        second = enter()
        until(lambda: shared(context, [first, second], 4), "two members share")
        fill(context, topic, 4, 20, 20)
        both = {m: context.client.take(member=m, count=20 * len(context.client.assigned(member=m))) for m in (first, second)}
        equal(sorted(v for some in both.values() for v in values(some)), sorted(b"%d %d" % (p, n) for p in range(4) for n in range(20, 40)), "what both read, nothing twice")
        for member in both:
            context.client.commit(member=member)
        context.client.leave(member=first)
        until(lambda: shared(context, [second], 4), "one is left")
        context.client.leave(member=second)
        equal(context.client.committed(group=group, topic=topic), {str(p): 40 for p in range(4)}, "committed")


@needs("consumer", "join")
def a_member_of_the_consumer_protocol_that_is_killed_is_replaced(context):
    create(context, "missed", 2)
    fill(context, "missed", 2, 20)
    other = context.another()
    silent = join(context, "missing", "missed", other, protocol="consumer")
    until(lambda: sorted(other.assigned(member=silent)) == [0, 1], "it has all")
    equal(len(other.take(member=silent, count=40)), 40, "records read")
    other.kill()
    member = join(context, "missing", "missed", protocol="consumer")
    until(lambda: shared(context, [member], 2), "the other has all")
    equal(sorted(values(context.client.take(member=member, count=40))), sorted(b"%d %d" % (p, n) for p in range(2) for n in range(20)), "what was not committed comes again")
    context.client.leave(member=member)


@needs("consumer", "join")
def a_group_changes_its_protocol_and_back_member_by_member(context):
    create(context, "rolled", 4)
    members = [join(context, "rolling", "rolled") for _ in range(2)]
    until(lambda: shared(context, members, 4), "two classic members share")
    total = 0
    for at, protocol in ((0, {"protocol": "consumer"}), (1, {"protocol": "consumer"}), (0, {}), (1, {})):
        fill(context, "rolled", 4, 10, total)
        read = [context.client.take(member=m, count=10 * len(context.client.assigned(member=m))) for m in members]
        equal(sorted(v for some in read for v in values(some)), sorted(b"%d %d" % (p, n) for p in range(4) for n in range(total, total + 10)), "what both read, nothing twice")
        total += 10
        for member in members:
            context.client.commit(member=member)
        context.client.leave(member=members[at])
        members[at] = join(context, "rolling", "rolled", **protocol)
        until(lambda: shared(context, members, 4), f"both share with {protocol}")
    for member in members:
        context.client.leave(member=member)
    equal(context.client.committed(group="rolling", topic="rolled"), {str(p): total for p in range(4)}, "committed")


def options(parser):
    parser.add_argument("--client", required=True, help="a client that scripts/lib/drivers.py knows")


if __name__ == "__main__":
    main(None, options, lambda context, given: Driven(context, command(given.client)))
