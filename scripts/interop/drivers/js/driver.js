// The half of a driver that knows no library: it reads requests, calls operations, writes answers. scripts/lib/client.py says what is on the wire.
import readline from 'node:readline'

export const bytes = text => (text === null || text === undefined ? null : Buffer.from(text, 'base64'))
export const text = data => (data === null || data === undefined ? null : Buffer.from(data).toString('base64'))
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

/** What a member has read and nobody has taken yet. */
export class Queue {
  unread = []
  taken = []

  put(record, raw) {
    this.unread.push({ record, raw })
  }

  /** Waits for so many, 30 s at most. */
  async take(count) {
    for (const end = Date.now() + 30_000; this.unread.length < count && Date.now() < end; ) await sleep(5)
    const some = this.unread.splice(0, count)
    this.taken.push(...some)
    return some.map(one => one.record)
  }

  /** The last that was taken of each partition, since the last call. */
  last() {
    const last = new Map(this.taken.map(one => [one.record.partition, one]))
    this.taken = []
    return [...last.values()]
  }
}

/** The offset of each record in its partition, from the first of each partition in the order of the records. */
export function placed(partitions, firsts) {
  const next = new Map(firsts)
  return partitions.map(partition => {
    const offset = next.get(partition)
    next.set(partition, offset + 1)
    return [partition, offset]
  })
}

/**
 * Serves requests until stdin ends. `join` answers {queue, assigned(), commit(last), leave()}; `code` answers Kafka's error code of an error, or null.
 */
export async function serve({ operations, abilities, join, code }) {
  const members = []
  Object.assign(operations, {
    async join(request) {
      members.push(await join(request))
      return members.length - 1
    },
    assigned: ({ member }) => members[member].assigned(),
    take: ({ member, count }) => members[member].queue.take(count),
    commit: ({ member }) => members[member].commit(members[member].queue.last()),
    leave: ({ member }) => members[member].leave()
  })
  const answer = value => process.stdout.write(JSON.stringify(value) + '\n')
  process.on('unhandledRejection', error => console.error('unhandled', error))
  answer([...abilities, ...Object.keys(operations)])
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line)
    try {
      answer({ ok: (await operations[request.op](request)) ?? null })
    } catch (error) {
      answer({ error: { code: code(error), message: String(error?.stack ?? error) } })
    }
  }
  process.exit(0)
}
