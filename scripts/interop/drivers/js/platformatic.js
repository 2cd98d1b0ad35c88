// The driver of @platformatic/kafka: Producer, Consumer with streams, Admin.
import { Admin, Consumer, MessagesStreamFallbackModes, MessagesStreamModes, Producer, compatibilityPartitioner } from '@platformatic/kafka'
import { Queue, bytes, placed, serve, text } from './driver.js'

const TOPIC = 2
const base = { clientId: 'driver', bootstrapBrokers: [process.argv[2]], retries: 20, retryDelay: 200 }
const admin = new Admin(base)
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

function code(error) {
  if (typeof error?.apiCode === 'number') return error.apiCode
  for (const inner of [error?.cause, ...(error?.errors ?? [])]) {
    const found = inner ? code(inner) : null
    if (found !== null) return found
  }
  return null
}

function turned(message) {
  const headers = message.headerEntries.map(([name, value]) => [name.toString(), text(value)])
  return { partition: message.partition, offset: Number(message.offset), timestamp: Number(message.timestamp), key: text(message.key), value: text(message.value), headers }
}

const resource = topic => ({ resourceType: TOPIC, resourceName: topic })
let readers = 0

const operations = {
  async create_topic({ topic, partitions, configs }) {
    await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs: Object.entries(configs).map(([name, value]) => ({ name, value })) })
  },
  async delete_topic({ topic }) {
    await admin.deleteTopics({ topics: [topic] })
  },
  topics: () => admin.listTopics(),
  async partitions({ topic }) {
    const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true })
    return Object.fromEntries(topics.get(topic).partitions.map((one, partition) => [partition, one.leader]))
  },
  async add_partitions({ topic, total }) {
    await admin.createPartitions({ topics: [{ name: topic, count: total, assignments: null }] })
  },
  async configs({ topic }) {
    const [found] = await admin.describeConfigs({ resources: [resource(topic)] })
    return Object.fromEntries(found.configs.map(({ name, value }) => [name, value]))
  },
  async alter_config({ topic, name, value }) {
    await admin.incrementalAlterConfigs({ resources: [{ ...resource(topic), configs: [{ name, configOperation: 0, value }] }] })
  },
  async delete_records({ topic, partition, offset }) {
    const [found] = await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition, offset: BigInt(offset) }] }] })
    return Number(found.partitions[0].lowWatermark)
  },
  async produce({ topic, codec, acks, idempotent, records }) {
    const chosen = []
    const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true })
    const partitioner = (message, key) => {
      const partition = compatibilityPartitioner(message, key) % topics.get(topic).partitionsCount
      chosen.push(partition)
      return partition
    }
    const producer = new Producer({ ...base, idempotent, partitioner, autocreateTopics: false })
    try {
      const messages = records.map(({ partition, key, value, timestamp, headers }) => ({
        topic,
        partition: partition ?? undefined,
        key: bytes(key) ?? undefined,
        value: bytes(value) ?? undefined,
        timestamp: timestamp === null ? undefined : BigInt(timestamp),
        headers: new Map(headers.map(([name, content]) => [Buffer.from(name), bytes(content)]))
      }))
      const sent = await producer.send({ messages, acks, compression: codec })
      if (acks === 0) return records.map(() => [-1, -1])
      const partitions = records.map(({ partition }) => partition ?? chosen.shift())
      return placed(partitions, sent.offsets.map(one => [one.partition, Number(one.offset)]))
    } finally {
      await producer.close()
    }
  },
  async read({ topic, partition, offsets, count }) {
    const consumer = new Consumer({ ...base, groupId: `reader-${process.pid}-${readers++}`, maxWaitTime: 200, autocommit: false })
    const answer = []
    for (const offset of offsets) {
      const { topics } = await consumer.metadata({ topics: [topic] })
      const start = topics.get(topic).partitions.map((_, p) => ({ topic, partition: p, offset: p === partition ? BigInt(offset) : 0n }))
      const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.MANUAL, offsets: start, autocommit: false })
      const found = []
      for await (const message of stream) {
        if (message.partition === partition) found.push(turned(message))
        if (found.length === count) break
      }
      await stream.close()
      answer.push(found)
    }
    await consumer.close(true)
    return answer
  },
  async offset({ topic, partition, at }) {
    const timestamp = at === 'earliest' ? -2n : at === 'latest' ? -1n : BigInt(at)
    const [found] = await admin.listOffsets({ topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }] })
    return Number(found.partitions[0].offset)
  },
  async committed({ group, topic }) {
    const [found] = await admin.listConsumerGroupOffsets({ groups: [group] })
    const partitions = found.topics.find(one => one.name === topic)?.partitions ?? []
    return Object.fromEntries(partitions.filter(one => one.committedOffset >= 0n).map(one => [one.partitionIndex, Number(one.committedOffset)]))
  },
  async groups() {
    return [...(await admin.listGroups()).keys()]
  },
  async describe_group({ group }) {
    const one = (await admin.describeGroups({ groups: [group] })).get(group)
    return { state: one.state.toLowerCase().replace(/(^|_)(.)/g, (_, __, letter) => letter.toUpperCase()), members: one.members.size }
  },
  async delete_group({ group }) {
    await admin.deleteGroups({ groups: [group] })
  },
  async delete_offsets({ group, topic }) {
    await admin.deleteConsumerGroupOffsets({ groupId: group, topics: [{ name: topic, partitionIndexes: [0] }] })
  }
}

async function join({ group, topic, session_ms, instance }) {
  const consumer = new Consumer({
    ...base, groupId: group, sessionTimeout: session_ms, rebalanceTimeout: 10_000, heartbeatInterval: 300, maxWaitTime: 200, autocommit: false,
    ...(instance ? { groupInstanceId: instance } : {})
  })
  const queue = new Queue()
  let partitions = []
  consumer.on('consumer:group:join', ({ assignments }) => (partitions = assignments?.find(one => one.topic === topic)?.partitions ?? []))
  consumer.on('consumer:group:rebalance', () => (partitions = []))
  // The stream is there when the member has joined; a member of a group that rebalances must not keep the others waiting.
  const starting = consumer
    .consume({ topics: [topic], mode: MessagesStreamModes.COMMITTED, fallbackMode: MessagesStreamFallbackModes.EARLIEST, autocommit: false })
    .then(stream => {
      // A fetch that was under way when a partition went to another member still delivers from it, the real Kafka's answers too.
      stream.on('data', message => partitions.includes(message.partition) && queue.put(turned(message), message))
      stream.on('error', error => console.error('stream', error))
      return stream
    })
  starting.catch(error => console.error('join', error))
  return {
    queue,
    assigned: () => partitions,
    commit: last => Promise.all(last.map(({ raw }) => raw.commit())),
    async leave() {
      await (await starting).close()
      await consumer.close(true)
    }
  }
}

serve({ operations, abilities: [...codecs, 'idempotent', 'static', 'empty'], code, join })
