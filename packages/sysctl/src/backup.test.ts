import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { giveBack, takeOver } from './index.ts'

const KEY = 'kernel.core_pattern'

const STRANGE: Readonly<Record<string, (path: string) => unknown>> = {
  'a FIFO': (path) => execFileSync('mkfifo', [path]),
  'a link': (path) => symlink('/dev/zero', path),
  'a directory': (path) => mkdir(path),
}

test('a directory of backups that cannot be made is an error, not a wait [node-10]', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sysctl-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  await mkdir(join(dir, 'kernel'))
  await writeFile(join(dir, 'kernel/core_pattern'), 'core')
  const taken = takeOver({ [KEY]: '|ours' }, { root: dir, backupDir: '/proc/backups/here' })
  await expect(taken).rejects.toMatchObject({ code: 'BACKUP', key: KEY })
  expect(await readFile(join(dir, 'kernel/core_pattern'), 'utf8')).toBe('core')
})

test.for(Object.keys(STRANGE))(
  '%s in the place of a backup is an error, not a wait',
  async (kind) => {
    const dir = await mkdtemp(join(tmpdir(), 'sysctl-'))
    onTestFinished(() => rm(dir, { recursive: true }))
    await mkdir(join(dir, 'kernel'))
    await writeFile(join(dir, 'kernel/core_pattern'), '|ours')
    await STRANGE[kind]?.(join(dir, 'core_pattern.bak'))
    const [result] = await giveBack([KEY], { root: dir, backupDir: dir })
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'BACKUP', key: KEY } })
    expect(await readFile(join(dir, 'kernel/core_pattern'), 'utf8')).toBe('|ours')
  },
)
