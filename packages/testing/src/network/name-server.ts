import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** Responses of a name server. */
export type NameAnswer = 'address' | 'no-such-name' | 'failure' | 'silence'

export interface NameServer {
  /** For `nameserver` in resolv.conf(5), which knows no port. */
  readonly address: string
  /** Names it was asked for. */
  readonly asked: readonly string[]
  answer(how: NameAnswer): void
  close(): void
}

const FLAGS = { address: 0x8580, 'no-such-name': 0x8583, failure: 0x8582 } as const
const HEADER_BYTES = 12
const A_RECORD = 1

/** A DNS server for which every name is 127.0.0.1, RFC 1035: without another package. */
export async function nameServer(): Promise<NameServer> {
  const address = `127.${byte()}.${byte()}.${byte()}`
  const asked: string[] = []
  let how: NameAnswer = 'address'
  const server = createSocket('udp4', (query, from) => {
    const question = readQuestion(query)
    asked.push(question.name)
    if (how === 'silence') return
    const hasAnswer = how === 'address' && question.type === A_RECORD
    const header = Buffer.alloc(HEADER_BYTES)
    query.copy(header, 0, 0, 2)
    header.writeUInt16BE(FLAGS[how], 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(Number(hasAnswer), 6)
    // the name of the question, type A, class IN, no time to live, four bytes
    const answer = Buffer.from([0xc0, HEADER_BYTES, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1])
    const parts = [header, question.bytes, ...(hasAnswer ? [answer] : [])]
    server.send(Buffer.concat(parts), from.port, from.address)
  })
  server.bind(53, address)
  await once(server, 'listening')
  return { address, asked, answer: (next) => void (how = next), close: () => server.close() }
}

function readQuestion(query: Buffer): { name: string; type: number; bytes: Buffer } {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const bytes = query.subarray(HEADER_BYTES, at + 5)
  return { name: labels.join('.'), type: query.readUInt16BE(at + 1), bytes }
}

// its own address on loopback, for parallel runs
function byte(): number {
  return 1 + Math.floor(Math.random() * 250)
}
