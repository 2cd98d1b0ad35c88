// The driver of kafkajs: producer, consumer, admin. Its snappy, lz4 and zstd are what its users plug in.
import zlib from 'node:zlib'
import { lz4Compress, lz4Decompress } from '@platformatic/wasm-utils'
import kafkajs from 'kafkajs'
import SnappyCodec from 'kafkajs-snappy'
import { Queue, bytes, placed, serve, sleep, text } from './driver.js'

const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, Partitioners, logLevel } = kafkajs
CompressionCodecs[CompressionTypes.Snappy] = SnappyCodec
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => Buffer.from(lz4Compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(lz4Decompress(buffer))
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => zlib.zstdCompressSync(encoder.buffer),
  decompress: async buffer => zlib.zstdDecompressSync(buffer)
})
const CODECS = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }

const logCreator = () => entry => console.error(entry.label, entry.log.message, entry.log.error ?? '')
const kafka = new Kafka({ clientId: 'driver', brokers: [process.argv[2]], logLevel: logLevel.WARN, logCreator, retry: { initialRetryTime: 50, retries: 8 } })
const admin = kafka.admin()
await admin.connect()

class Known extends Error {
  constructor(code, message) {
    super(message)
    this.code = code
  }
}

/** kafkajs wraps what the broker said: a protocol error has its code as a number. */
function code(error) {
  for (const one of [error, error?.cause, ...(error?.errors ?? []), ...(error?.groups ?? []).map(group => group.error)]) {
    if (typeof one?.code === 'number') return one.code
    if (one?.cause && typeof one.cause.code === 'number') return one.cause.code
  }
  return null
}

function turned({ partition, message }) {
  const headers = Object.entries(message.headers ?? {}).flatMap(([name, value]) => [value].flat().map(one => [name, text(one)]))
  return { partition, offset: Number(message.offset), timestamp: Number(message.timestamp), key: text(message.key), value: text(message.value), headers }
}

/** A consumer that puts all that it reads into a queue. */
async function consume({ topic, group, session_ms = 6000 }) {
  const consumer = kafka.consumer({ groupId: group, sessionTimeout: session_ms, heartbeatInterval: 300, rebalanceTimeout: 10_000, maxWaitTimeInMs: 200 })
  const member = { consumer, queue: new Queue(), partitions: [] }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => (member.partitions = payload.memberAssignment[topic] ?? []))
  consumer.on(consumer.events.REBALANCING, () => (member.partitions = []))
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({ autoCommit: false, eachMessage: async message => member.queue.put(turned(message)) })
  return member
}

let readers = 0
const operations = {
  async create_topic({ topic, partitions, configs }) {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    // kafkajs answers false, and does not throw, where the topic is there.
    if (!(await admin.createTopics({ topics: [{ topic, numPartitions: partitions, configEntries }] }))) throw new Known(36, 'the topic is there')
  },
  async delete_topic({ topic }) {
    await admin.deleteTopics({ topics: [topic] })
  },
  topics: () => admin.listTopics(),
  async partitions({ topic }) {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return Object.fromEntries(topics[0].partitions.map(one => [one.partitionId, one.leader]))
  },
  async add_partitions({ topic, total }) {
    await admin.createPartitions({ topicPartitions: [{ topic, count: total }] })
  },
  async configs({ topic }) {
    const { resources } = await admin.describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }] })
    return Object.fromEntries(resources[0].configEntries.map(entry => [entry.configName, entry.configValue]))
  },
  async alter_config({ topic, name, value }) {
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name, value }] }] })
  },
  async delete_records({ topic, partition, offset }) {
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
    return operations.offset({ topic, partition, at: 'earliest' })
  },
  async produce({ topic, codec, acks, idempotent, records }) {
    const chosen = []
    const createPartitioner = () => {
      const inner = Partitioners.DefaultPartitioner()
      return given => {
        const partition = given.message.partition ?? inner(given)
        chosen.push(partition)
        return partition
      }
    }
    const producer = kafka.producer({ createPartitioner, idempotent, maxInFlightRequests: idempotent ? 1 : undefined })
    await producer.connect()
    try {
      const messages = records.map(({ partition, key, value, timestamp, headers }) => {
        const grouped = {}
        for (const [name, content] of headers) (grouped[name] ??= []).push(bytes(content))
        return { partition: partition ?? undefined, key: bytes(key), value: bytes(value), timestamp: timestamp === null ? undefined : String(timestamp), headers: grouped }
      })
      const sent = await producer.send({ topic, acks, compression: CODECS[codec], messages })
      return placed(chosen.slice(-records.length), sent.map(one => [one.partition, Number(one.baseOffset)]))
    } finally {
      await producer.disconnect()
    }
  },
  // kafkajs has no consumer without a group: one of its own, that seeks.
  async read({ topic, partition, offsets, count }) {
    const member = await consume({ topic, group: `reader-${process.pid}-${readers++}` })
    while (!member.partitions.length) await sleep(5)
    const answer = []
    for (const offset of offsets) {
      member.consumer.seek({ topic, partition, offset: String(offset) })
      const found = []
      for (const end = Date.now() + 30_000; found.length < count && Date.now() < end; ) {
        const [record] = await member.queue.take(1)
        // What was fetched before the seek may still come.
        if (record?.partition === partition && record.offset >= offset && record.offset < offset + count) found.push(record)
      }
      answer.push(found)
    }
    await member.consumer.disconnect()
    return answer
  },
  async offset({ topic, partition, at }) {
    const found = typeof at === 'string' ? await admin.fetchTopicOffsets(topic) : await admin.fetchTopicOffsetsByTimestamp(topic, at)
    const one = found.find(some => some.partition === partition)
    return Number(at === 'earliest' ? one.low : at === 'latest' ? one.high : one.offset)
  },
  async committed({ group, topic }) {
    const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
    return Object.fromEntries(found.partitions.filter(one => Number(one.offset) >= 0).map(one => [one.partition, Number(one.offset)]))
  },
  async groups() {
    return (await admin.listGroups()).groups.map(group => group.groupId)
  },
  async describe_group({ group }) {
    const { groups } = await admin.describeGroups([group])
    if (groups[0].errorCode) throw new Known(groups[0].errorCode, 'describing a group')
    return { state: groups[0].state, members: groups[0].members.length }
  },
  async delete_group({ group }) {
    await admin.deleteGroups([group])
  }
}

async function join(request) {
  const member = await consume(request)
  const { consumer, queue } = member
  return {
    queue,
    assigned: () => member.partitions,
    commit: last => consumer.commitOffsets(last.map(({ record }) => ({ topic: request.topic, partition: record.partition, offset: String(record.offset + 1) }))),
    leave: () => consumer.disconnect()
  }
}

serve({ operations, abilities: [...Object.keys(CODECS), 'idempotent', 'empty'], code, join })
