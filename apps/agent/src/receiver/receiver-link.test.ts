import { createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type ReceiverState, ReceiverLink } from './receiver-link.ts'

const STATE: ReceiverState = {
  pid: 1,
  version: '1.0.0',
  path: '/receiver.sock',
  active: 0,
  captured: 0,
  stopping: false,
  parts: [],
}

/** A receiver that answers, and a link to it. */
async function linked(): Promise<{
  link: ReceiverLink
  server: Server
  sockets: Socket[]
  heard: string[]
  downs: string[]
  lost: number[]
  ups: number[]
}> {
  const hostDir = mkdtempSync(join(tmpdir(), 'link-'))
  const over = new AbortController()
  const sockets: Socket[] = []
  const heard: string[] = []
  const downs: string[] = []
  const lost: number[] = []
  const ups: number[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      heard.push(bytes.toString())
      socket.write(`not JSON\n{"pid":"x"}\n${JSON.stringify(STATE)}\n`)
    })
  })
  server.listen(join(hostDir, 'receiver-agent.sock'))
  await once(server, 'listening')
  const link = new ReceiverLink({
    hostDir,
    pipePattern: '|/cdc',
    signal: over.signal,
    onDown(why, waiting) {
      downs.push(why)
      lost.push(...waiting)
    },
    onState: () => undefined,
    onUp: () => void ups.push(performance.now()),
  })
  const running = link.run()
  onTestFinished(async () => {
    over.abort()
    for (const socket of sockets) socket.destroy()
    server.close()
    await running
    rmSync(hostDir, { recursive: true })
  })
  await expect.poll(() => link.state).toEqual(STATE)
  return { link, server, sockets, heard, downs, lost, ups }
}

test('a link gives the receiver the pattern of the composer, and keeps its last answer', async () => {
  const { heard, downs } = await linked()
  expect(heard[0]).toBe('{"type":"hello","pipePattern":"|/cdc"}\n')
  expect(downs).toEqual([])
})

test('a link notices the end of a receiver once, and connects to the next one', async () => {
  const { link, sockets, downs, ups } = await linked()
  sockets[0]?.destroy()
  await expect.poll(() => downs).toEqual(['it has ended'])
  await expect.poll(() => sockets.length).toBe(2)
  await expect.poll(() => link.state).toEqual(STATE)
  expect(downs).toHaveLength(1)
  expect(ups).toHaveLength(2)
})

test('a link knows the crashes of which a receiver leaves nothing when it ends', async () => {
  const { sockets, lost } = await linked()
  sockets[0]?.end('{"waits":7}\n{"waits":8}\n{"waits":9}\n{"waitsNoLonger":8}\n')
  await expect.poll(() => lost).toEqual([7, 9])
})
