import { once } from 'node:events'
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openDoor } from './straight-door.ts'

async function scratch(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'door-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  return dir
}

/** Who lets somebody in who knocks now. */
async function knock(dir: string, callers: string[]): Promise<string | undefined> {
  const before = callers.length
  const socket = createConnection(join(dir, 'straight'))
  // refused or not there: nobody
  await once(socket, 'close').catch(() => undefined)
  return callers[before]
}

test('is for root alone, and gone when it is closed', async () => {
  const dir = await scratch()
  const seen: string[] = []
  const close = await openDoor(dir, (socket) => {
    seen.push('first')
    socket.destroy()
  })
  const stats = await lstat(join(dir, 'straight'))
  expect([stats.isSocket(), stats.mode & 0o777]).toEqual([true, 0o600])
  expect(await knock(dir, seen)).toBe('first')
  close()
  expect(await readdir(dir)).toEqual([])
})

test('of the newest agent takes the place of another, which takes only its own away', async () => {
  const dir = await scratch()
  const seen: string[] = []
  const open = (name: string): Promise<() => void> =>
    openDoor(dir, (socket) => {
      seen.push(name)
      socket.destroy()
    })
  const closeFirst = await open('first')
  const closeSecond = await open('second')
  expect(await knock(dir, seen)).toBe('second')
  closeFirst()
  expect(await knock(dir, seen)).toBe('second')
  closeSecond()
  expect(await knock(dir, seen)).toBeUndefined()
})
