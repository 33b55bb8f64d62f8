import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { Transform } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { portOf } from './free-ports.ts'

/** A slow connection to a server on loopback. */
export interface Throttle {
  readonly url: string
  /** Bytes that were sent through it. */
  readonly sentBytes: number
  /** Stop slowing down. */
  release(): void
  close(): Promise<void>
}

/** A proxy to the server at `target` that sends at most `bytesPerSecond`. */
export async function throttle(target: string, bytesPerSecond: number): Promise<Throttle> {
  const { hostname, port } = new URL(target)
  let sentBytes = 0
  let slow = true
  // in small pieces, as a slow connection does
  const slice = Math.max(1, Math.floor(bytesPerSecond / 4))
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    const brake = new Transform({
      async transform(chunk: Buffer, _encoding, done) {
        sentBytes += chunk.length
        for (let at = 0; at < chunk.length; at += slice) {
          const bytes = chunk.subarray(at, at + slice)
          if (slow) await sleep((bytes.length / bytesPerSecond) * 1000)
          this.push(bytes)
        }
        done()
      },
    })
    const end = (): void => {
      client.destroy()
      upstream.destroy()
    }
    client.on('error', end).on('close', end)
    upstream.on('error', end).on('close', end)
    client.pipe(brake).pipe(upstream).pipe(client)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    get sentBytes() {
      return sentBytes
    },
    release: () => void (slow = false),
    async close() {
      server.close()
    },
  }
}
