"""Members of groups as confluent-kafka has them, for the suites of groups: what each was given and what it read."""

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from check import equal

# Crashed members of classic groups are noticed after this; for consumer groups the broker says so.
SESSION = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}


def create(broker, topic, partitions):
    admin = AdminClient({"bootstrap.servers": broker.address})
    for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        future.result(30)
    return admin


def produce(broker, topic, partitions, each, first=0):
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 5})
    for partition in range(partitions):
        for n in range(first, first + each):
            producer.produce(topic, value=b"%d %d" % (partition, n), partition=partition)
    equal(producer.flush(60), 0, "records left unsent")


class Member:
    """A consumer that notes what it was given and what it read."""

    def __init__(self, broker, group, *topics, **settings):
        self.given, self.topics, self.read = set(), set(), []
        session = SESSION if settings.get("group.protocol", "classic") == "classic" else {}
        self.consumer = Consumer({"bootstrap.servers": broker.address, "group.id": group, "auto.offset.reset": "earliest",
                                  "enable.auto.commit": False, **session, **settings})
        self.consumer.subscribe(list(topics), on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke)

    def _assign(self, _, partitions):
        self.given |= {p.partition for p in partitions}
        self.topics |= {p.topic for p in partitions}

    def _revoke(self, _, partitions):
        self.given -= {p.partition for p in partitions}

    def poll(self, commit=True):
        message = self.consumer.poll(0.05)
        if message is not None and not message.error():
            self.read.append(message.value())
            if commit:
                self.consumer.commit(message, asynchronous=True)

    def commit(self):
        """What was read and is not committed; there may be nothing."""
        try:
            self.consumer.commit(asynchronous=False)
        except KafkaException as error:
            equal(error.args[0].code(), KafkaError._NO_OFFSET, "why a commit failed")

    def close(self):
        self.consumer.close()


def until(members, done, what, seconds=60):
    """Polls all members until something is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for member in members:
            member.poll()
        if done():
            return
    raise AssertionError(f"not so after {seconds} s: {what}: {[(sorted(m.given), len(m.read)) for m in members]}")


def shared(members, partitions):
    """Each partition has one owner, and everybody has some."""
    given = [p for m in members for p in m.given]
    return sorted(given) == list(range(partitions)) and all(m.given for m in members)


def committed(broker, group, topic, partitions):
    check = Consumer({"bootstrap.servers": broker.address, "group.id": group})
    found = check.committed([TopicPartition(topic, p) for p in range(partitions)], timeout=30)
    check.close()
    return [p.offset for p in found]


def one_then_three_then_two(broker, topic, settings, with_three=lambda members: None):
    """A group of one member, of three, of two: each time all six partitions are shared; what comes later is read, and committed."""
    create(broker, topic, 6)
    produce(broker, topic, 6, 50)
    members = [Member(broker, topic, topic, **settings)]
    until(members, lambda: shared(members, 6), "one member has all")
    members += [Member(broker, topic, topic, **settings) for _ in range(2)]
    until(members, lambda: shared(members, 6), "three members share")
    with_three(members)
    members.pop(0).close()
    until(members, lambda: shared(members, 6), "two members are left")
    produce(broker, topic, 6, 50, 50)
    last = {b"%d 99" % p for p in range(6)}
    until(members, lambda: last <= {value for m in members for value in m.read}, "what came later is read")
    for member in members:
        member.commit()
        member.close()
    equal(committed(broker, topic, topic, 6), [100] * 6, "committed at the end")
