import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createConnection, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { listenAt } from './listen.ts'

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'listen-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

const listening = (path: string): Promise<Server> => listenAt(path, () => {})

describe('listenAt', () => {
  it('listens on a socket of root alone, in place of one that no one listens on', async () => {
    const path = join(scratch(), 'core.sock')
    const first = await listenAt(path, () => {})
    first.close()
    let connections = 0
    const second = await listenAt(path, () => connections++)
    onTestFinished(() => void second.close())
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const client = createConnection(path)
    await once(client, 'connect')
    client.end()
    await expect.poll(() => connections).toBe(1)
  })

  it('keeps the connections of the one before while a successor takes the name', async () => {
    const path = join(scratch(), 'core.sock')
    let accepted = 0
    const before = await listenAt(path, () => accepted++)
    onTestFinished(() => void before.close())
    const client = createConnection(path)
    onTestFinished(() => void client.destroy())
    const after = await listenAt(path, () => {})
    onTestFinished(() => void after.close())
    await expect.poll(() => accepted).toBe(1)
    expect(client.destroyed).toBe(false)
  })

  it('rejects a path that the kernel does not follow, with the reason', async () => {
    const directory = scratch()
    mkdirSync(join(directory, 'real'))
    symlinkSync('real', join(directory, 'link'))
    writeFileSync(join(directory, 'file'), '')
    await expect(listening(join(directory, 'link/core.sock'))).rejects.toThrow(
      /symbolic link.* set HOST_DIR to `.*\/real`/,
    )
    await expect(listening(join(directory, 'missing/core.sock'))).rejects.toThrow(/ENOENT/)
    await expect(listening(join(directory, 'file'))).rejects.toThrow(/no socket; delete it/)
    await expect(listening(join(directory, 'a b'))).rejects.toThrow(/without blanks/)
    await expect(listening(`/${'x'.repeat(100)}`)).rejects.toThrow(/longer than 95 bytes/)
  })
})
