"""The driver of aiokafka."""

import asyncio
import sys
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from driver import Queue, bytes_of, serve, turned

ADDRESS = sys.argv[1]


def said(code, what):
    """aiokafka leaves the codes of some answers to its caller."""
    if code:
        raise for_code(code)(what)


async def create_topic(topic, partitions, configs):
    done = await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
    said(done.topic_errors[0][1], done)


async def delete_topic(topic):
    done = await admin.delete_topics([topic])
    said(done.topic_error_codes[0][1], done)


async def partitions(topic):
    [found] = await admin.describe_topics([topic])
    said(found["error_code"], found)
    return {p["partition"]: p["leader"] for p in found["partitions"]}


async def add_partitions(topic, total):
    await admin.create_partitions({topic: NewPartitions(total)})


async def configs(topic):
    [found] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return {entry[0]: entry[1] for entry in found.resources[0][4]}


async def alter_config(topic, name, value):
    [done] = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])
    said(done.resources[0][0], done)


async def delete_records(topic, partition, offset):
    which = TopicPartition(topic, partition)
    return (await admin.delete_records({which: RecordsToDelete(offset)}))[which]


async def produce(topic, codec, acks, idempotent, records):
    producer = AIOKafkaProducer(bootstrap_servers=ADDRESS, acks="all" if acks == -1 else acks, compression_type=None if codec == "none" else codec, linger_ms=5,
                                enable_idempotence=idempotent)
    await producer.start()
    try:
        sent = [await producer.send(topic, bytes_of(r["value"]), bytes_of(r["key"]), r["partition"], r["timestamp"], [(name, bytes_of(value)) for name, value in r["headers"]])
                for r in records]
        placed = [await one for one in sent]
        return [[p.partition, p.offset] if p else [-1, -1] for p in placed]
    finally:
        await producer.stop()


async def read(topic, partition, offsets, count):
    consumer = AIOKafkaConsumer(bootstrap_servers=ADDRESS, auto_offset_reset="none", max_partition_fetch_bytes=20000)
    await consumer.start()
    try:
        which = TopicPartition(topic, partition)
        consumer.assign([which])
        answer = []
        for offset in offsets:
            consumer.seek(which, offset)
            answer.append([turned(await asyncio.wait_for(consumer.getone(), 30)) for _ in range(count)])
        return answer
    finally:
        await consumer.stop()


async def offset(topic, partition, at):
    consumer = AIOKafkaConsumer(bootstrap_servers=ADDRESS)
    await consumer.start()
    try:
        which = TopicPartition(topic, partition)
        if isinstance(at, str):
            return (await (consumer.beginning_offsets if at == "earliest" else consumer.end_offsets)([which]))[which]
        found = (await consumer.offsets_for_times({which: at}))[which]
        return found.offset if found else -1
    finally:
        await consumer.stop()


class Member(ConsumerRebalanceListener):
    def __init__(self, topic):
        self.topic, self.queue, self.partitions = topic, Queue(), set()

    async def start(self, group, session_ms, instance):
        self.consumer = AIOKafkaConsumer(bootstrap_servers=ADDRESS, group_id=group, group_instance_id=instance, auto_offset_reset="earliest", enable_auto_commit=False,
                                         session_timeout_ms=session_ms, heartbeat_interval_ms=300, rebalance_timeout_ms=10_000, fetch_max_wait_ms=200)
        self.consumer.subscribe([self.topic], listener=self)
        await self.consumer.start()
        self.reading = asyncio.create_task(self._read())
        return self

    async def _read(self):
        async for record in self.consumer:
            self.queue.put(record)

    async def on_partitions_revoked(self, revoked):
        self.partitions -= {p.partition for p in revoked}

    async def on_partitions_assigned(self, assigned):
        self.partitions |= {p.partition for p in assigned}

    def assigned(self):
        return sorted(self.partitions)

    async def commit(self, offsets):
        await self.consumer.commit({TopicPartition(self.topic, p): offset for p, offset in offsets.items()})

    async def leave(self):
        self.reading.cancel()
        await self.consumer.stop()


async def join(group, topic, session_ms, instance, strategy):
    member = Member(topic)
    # It starts beside: a member waits for its group, and the driver has other members to serve.
    member.starting = asyncio.create_task(member.start(group, session_ms, instance))
    leave = member.leave

    async def started_and_left():
        await member.starting
        await leave()

    member.leave = started_and_left
    return member


async def committed(group, topic):
    found = await admin.list_consumer_group_offsets(group)
    return {p.partition: one.offset for p, one in found.items() if p.topic == topic and one.offset >= 0}


async def groups():
    return [group[0] for group in await admin.list_consumer_groups()]


async def describe_group(group):
    [found] = await admin.describe_consumer_groups([group])
    code, _, state, _, _, members, *_ = found.groups[0]
    said(code, found)
    return {"state": state, "members": len(members)}


async def main():
    global admin
    admin = AIOKafkaAdminClient(bootstrap_servers=ADDRESS)
    await admin.start()
    operations = [create_topic, delete_topic, partitions, add_partitions, configs, alter_config, delete_records, produce, read, offset, committed, groups, describe_group]
    named = {f.__name__: f for f in operations} | {"topics": lambda: admin.list_topics()}
    await serve(named, ["none", "gzip", "snappy", "lz4", "zstd", "idempotent", "static", "empty"], join, lambda error: error.errno if isinstance(error, KafkaError) and error.errno >= 0 else None)
    await admin.close()


asyncio.run(main())
