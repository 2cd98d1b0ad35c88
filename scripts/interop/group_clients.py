"""Groups of other clients: confluent-kafka (a current librdkafka), kcat -G, kafka-python; rebalances, crashes, static members, a broker that is killed."""

import subprocess
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewPartitions

from check import case, equal, main
from members import Member, create, one_then_three_then_two, produce, shared, until

@case
def members_come_and_go(context):
    broker = context.shared
    for strategy in ("range", "cooperative-sticky"):
        one_then_three_then_two(broker, f"shared-{strategy}", {"partition.assignment.strategy": strategy})


@case
def new_partitions_and_a_member_that_crashes(context):
    broker = context.shared
    admin = create(broker, "grows", 2)
    settings = {"topic.metadata.refresh.interval.ms": 500}
    members = [Member(broker, "grows", "grows", **settings) for _ in range(2)]
    until(members, lambda: shared(members, 2), "both have one")
    try:
        admin.create_partitions([NewPartitions("grows", 4)])["grows"].result(30)
        partitions = 4
    except Exception as error:  # the broker may not serve it yet
        print("groups: new partitions are not tried:", error)
        partitions = 2
    until(members, lambda: shared(members, partitions), "the new partitions have owners")
    # A process of its own, so that it can end without a word.
    silent = subprocess.Popen([sys.executable, "-c", f"""
from confluent_kafka import Consumer
c = Consumer({{"bootstrap.servers": "{broker.address}", "group.id": "grows", "session.timeout.ms": 6000, "heartbeat.interval.ms": 500}})
c.subscribe(["grows"])
while True: c.poll(0.1)
"""], stdout=subprocess.PIPE, text=True)
    try:
        until(members, lambda: len([p for m in members for p in m.given]) < partitions, "the third has some")
    finally:
        silent.kill()
        silent.wait()
    until(members, lambda: shared(members, partitions), "the others have all again")
    for member in members:
        member.close()


@case
def a_static_member_comes_back_to_its_place(context):
    broker = context.shared
    create(broker, "static", 4)
    revoked = []
    members = [Member(broker, "static", "static", **{"group.instance.id": f"i{n}"}) for n in range(2)]
    until(members, lambda: shared(members, 4), "both have two")
    before = set(members[1].given)
    members[0]._revoke = lambda _, partitions: revoked.append(partitions)
    # A static member does not leave when it closes.
    members[1].close()
    members[1] = Member(broker, "static", "static", **{"group.instance.id": "i1"})
    until(members, lambda: members[1].given == before, "it has what it had")
    equal(len(members[0].given), 2, "partitions of the other")
    for member in members:
        member.close()


@case
def a_killed_broker_keeps_what_was_committed(context):
    if context.kind == "kafka":
        return
    broker = context.broker().start()
    try:
        create(broker, "killed", 3)
        produce(broker, "killed", 3, 100)
        member = Member(broker, "killers", "killed")
        until([member], lambda: len(member.read) >= 200, "most is read")
        member.commit()
        where = {p.partition: p.offset for p in member.consumer.position([TopicPartition("killed", p) for p in range(3)])}
        broker.kill()
        broker.start()
        check = Consumer({"bootstrap.servers": broker.address, "group.id": "killers"})
        found = check.committed([TopicPartition("killed", p) for p in range(3)], timeout=30)
        equal({p.partition: p.offset for p in found}, where, "committed after the kill")
        check.close()
        until([member], lambda: len(member.read) >= 300, "the member goes on")
        equal(len(set(member.read)), 300, "different records")
        member.close()
    finally:
        broker.stop()
        broker.remove()


@case
def kcat_reads_in_a_group(context):
    broker = context.shared
    create(broker, "kcat-group", 3)
    produce(broker, "kcat-group", 3, 100)
    kcat = ["kcat", "-b", broker.address, "-G", "kcat", "-e", "-X", "auto.offset.reset=earliest", "-f", "%s\n", "kcat-group"]
    first = subprocess.run([*kcat[:-1], "-c", "120", "kcat-group"], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    equal((first.returncode, len(first.stdout.split("\n")) - 1), (0, 120), f"exit code and lines ({first.stderr[-300:]})")
    rest = subprocess.run(kcat, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    equal(rest.returncode, 0, f"exit code ({rest.stderr[-300:]})")
    lines = first.stdout.splitlines() + rest.stdout.splitlines()
    equal(len(set(lines)), 300, "different lines of both")


@case
def kafka_python_joins(context):
    from kafka import KafkaConsumer

    broker = context.shared
    create(broker, "python", 2)
    produce(broker, "python", 2, 50)
    reader = KafkaConsumer("python", bootstrap_servers=broker.address, group_id="pythons", auto_offset_reset="earliest",
                           enable_auto_commit=False, consumer_timeout_ms=8000)
    found = []
    for record in reader:
        found.append(record.value)
        if len(found) == 100:
            break
    equal(len(set(found)), 100, "different records")
    reader.commit()
    reader.close(autocommit=False)
    check = Consumer({"bootstrap.servers": broker.address, "group.id": "pythons"})
    offsets = check.committed([TopicPartition("python", p) for p in range(2)], timeout=30)
    equal([p.offset for p in offsets], [50, 50], "committed")
    check.close()


main("group clients")
