"""The driver of kafka-python."""

import asyncio
import concurrent.futures
import queue
import re
import sys
import threading

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition, errors
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.errors import KafkaError, NoError
from kafka.structs import OffsetAndMetadata

from driver import Queue, bytes_of, serve, turned

ADDRESS = sys.argv[1]
admin = KafkaAdminClient(bootstrap_servers=ADDRESS)


def said(error, what):
    """kafka-python answers the errors of some requests, by class, by name or in words, and leaves it to its caller to raise them."""
    if error in ("OK", NoError):
        return
    if isinstance(error, str):
        words = re.match(r"\[Error (\d+)\]", error)
        error = errors.for_code(int(words[1])) if words else getattr(errors, error)
    raise error(what)


def create_topic(topic, partitions, configs):
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])


def delete_topic(topic):
    admin.delete_topics([topic])


def partitions(topic):
    [found] = admin.describe_topics([topic])
    return {p["partition_index"]: p["leader_id"] for p in found["partitions"]}


def add_partitions(topic, total):
    admin.create_partitions({topic: total})


def configs(topic):
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic, None)], config_filter="all")
    return {name: entry["value"] for name, entry in found["topic"][topic].items()}


def alter_config(topic, name, value):
    done = admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])
    said(done["topic"][topic], name)


def delete_records(topic, partition, offset):
    which = TopicPartition(topic, partition)
    return admin.delete_records({which: offset})[which]["low_watermark"]


def produce(topic, codec, acks, idempotent, records):
    producer = KafkaProducer(bootstrap_servers=ADDRESS, acks="all" if acks == -1 else acks, compression_type=None if codec == "none" else codec, linger_ms=5,
                             enable_idempotence=idempotent)
    try:
        sent = [producer.send(topic, bytes_of(r["value"]), bytes_of(r["key"]), [(name, bytes_of(value)) for name, value in r["headers"]], r["partition"], r["timestamp"])
                for r in records]
        placed = [one.get(timeout=60) for one in sent]
        return [[p.partition, p.offset] for p in placed]
    finally:
        producer.close()


def read(topic, partition, offsets, count):
    consumer = KafkaConsumer(bootstrap_servers=ADDRESS, auto_offset_reset="none", enable_auto_commit=False, max_partition_fetch_bytes=20000, consumer_timeout_ms=30_000)
    try:
        which = TopicPartition(topic, partition)
        consumer.assign([which])
        answer = []
        for offset in offsets:
            consumer.seek(which, offset)
            answer.append([turned(next(consumer)) for _ in range(count)])
        return answer
    finally:
        consumer.close()


def offset(topic, partition, at):
    consumer = KafkaConsumer(bootstrap_servers=ADDRESS)
    try:
        which = TopicPartition(topic, partition)
        if isinstance(at, str):
            return (consumer.beginning_offsets if at == "earliest" else consumer.end_offsets)([which])[which]
        found = consumer.offsets_for_times({which: at})[which]
        return found.offset if found else -1
    finally:
        consumer.close()


class Member(ConsumerRebalanceListener):
    """A consumer that one thread polls, which also does what others ask of it."""

    def __init__(self, group, topic, session_ms, instance, strategy):
        self.topic, self.queue, self.partitions = topic, Queue(), set()
        self.asked, self.leaving = queue.SimpleQueue(), False
        self.consumer = KafkaConsumer(bootstrap_servers=ADDRESS, group_id=group, group_instance_id=instance, auto_offset_reset="earliest", enable_auto_commit=False,
                                      session_timeout_ms=session_ms, heartbeat_interval_ms=300, max_poll_interval_ms=10_000, fetch_max_wait_ms=100)
        self.consumer.subscribe([topic], listener=self)
        self.thread = threading.Thread(target=self._poll, daemon=True)
        self.thread.start()

    def _poll(self):
        while not self.leaving:
            # One poll after another, and long ones: a join that ends between two is forgotten by kafka-python 3.0.12, with the real Kafka too.
            for records in self.consumer.poll(timeout_ms=1000).values():
                for record in records:
                    self.queue.put(record)
            while not self.asked.empty():
                what, done = self.asked.get()
                try:
                    done.set_result(what())
                except Exception as error:
                    done.set_exception(error)

    def on_partitions_revoked(self, revoked):
        self.partitions -= {p.partition for p in revoked}

    def on_partitions_assigned(self, assigned):
        self.partitions |= {p.partition for p in assigned}

    def assigned(self):
        return sorted(self.partitions)

    def commit(self, offsets):
        done = concurrent.futures.Future()
        self.asked.put((lambda: self.consumer.commit({TopicPartition(self.topic, p): OffsetAndMetadata(offset, "", -1) for p, offset in offsets.items()}), done))
        done.result(60)

    def leave(self):
        self.leaving = True
        self.thread.join()
        self.consumer.close(autocommit=False)


def committed(group, topic):
    return {p.partition: one.offset for p, one in admin.list_group_offsets({group: None})[group].items() if p.topic == topic and one.offset >= 0}


def groups():
    return [group["group_id"] for group in admin.list_groups()]


def describe_group(group):
    found = admin.describe_groups([group])
    one = found[group] if isinstance(found, dict) else found[0]
    return {"state": one["group_state"], "members": len(one["members"])}


def delete_group(group):
    said(dict(admin.delete_groups([group]))[group], group)


def delete_offsets(group, topic):
    which = TopicPartition(topic, 0)
    said(admin.delete_group_offsets(group, [which])[which], which)


operations = [create_topic, delete_topic, partitions, add_partitions, configs, alter_config, delete_records, produce, read, offset, committed, groups, describe_group,
              delete_group, delete_offsets]
named = {f.__name__: f for f in operations} | {"topics": lambda: admin.list_topics()}
asyncio.run(serve(named, ["none", "gzip", "snappy", "lz4", "zstd", "idempotent", "static", "empty"], Member,
                  lambda error: error.errno if isinstance(error, KafkaError) and error.errno >= 0 else None))
