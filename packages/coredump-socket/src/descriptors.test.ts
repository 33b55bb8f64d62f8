import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, rmSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { listenAt } from './listen.ts'
import { takeDescriptor } from './descriptors.ts'

it('takes a connection that no child inherits, and closes with its descriptor', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'take-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'core.sock')
  const accepted = Promise.withResolvers<Socket>()
  const server = await listenAt(path, accepted.resolve, { pauseOnConnect: true })
  onTestFinished(() => void server.close())
  const client = createConnection(path)
  const ended = once(client.resume(), 'end')
  const fd = takeDescriptor(await accepted.promise)
  const inherited = execFileSync('sh', [
    '-c',
    `ls -l /proc/self/fd/ | grep -c " ${fd} -> socket" || true`,
  ])
  expect(inherited.toString().trim()).toBe('0')
  closeSync(fd)
  await ended
})
