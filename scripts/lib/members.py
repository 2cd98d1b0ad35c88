"""Members of groups as confluent-kafka has them, for the suites of groups: what each was given and what it read."""

import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
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
