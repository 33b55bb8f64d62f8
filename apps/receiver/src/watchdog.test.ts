import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { test } from '@core-dump-handler/testing/scratch'
import { expect, onTestFinished } from 'vitest'

const TIMEOUT_MS = 1000
const MODULE = new URL('./watchdog.ts', import.meta.url).href
const PROGRAM = new URL('./cli.ts', import.meta.url).href
/** Accepts one connection; then its main thread never runs again. */
const HANGING = `
  import { createServer } from 'node:net'
  const { startWatchdog } = await import('${MODULE}')
  startWatchdog(new URL('${PROGRAM}'), ${TIMEOUT_MS})
  const server = createServer({ pauseOnConnect: true }, () => {
    console.log('accepted')
    setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0), 50)
  })
  server.listen(process.env.SOCKET, () => console.log('listening'))`

test('releases every process, also those in the queue, before it ends a receiver that hangs [receiver-2]', async ({
  dir,
}) => {
  const path = join(dir, 'core.sock')
  const program = join(dir, 'hanging.mjs')
  writeFileSync(program, HANGING)
  const flags = ['--conditions=@core-dump-handler/source', program]
  const child = spawn(process.execPath, flags, {
    env: { ...process.env, SOCKET: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended: Promise<unknown[]> = once(child, 'exit')
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  await once(child.stdout, 'data')
  const held = createConnection(path)
  const accepted = once(child.stdout, 'data')
  await once(held, 'connect')
  await accepted
  const sinceMs = performance.now()
  // the main thread waits by now: this one stays in the queue
  await new Promise((resolve) => setTimeout(resolve, 200))
  const queued = createConnection(path)
  await once(queued, 'connect')
  const released = Promise.all([held, queued].map((socket) => once(socket.resume(), 'close')))
  await released
  expect(await ended).toEqual([null, 'SIGKILL'])
  expect(performance.now() - sinceMs).toBeGreaterThan(TIMEOUT_MS / 2)
  expect(errors).toContain(`did not run for ${TIMEOUT_MS} ms: it is ended; lost are the crashes`)
  expect(errors).toContain(`of processes ${process.pid}`)
})
