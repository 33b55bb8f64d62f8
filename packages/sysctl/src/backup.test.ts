import { execFileSync } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from '@core-dump-handler/testing/scratch'
import { expect } from 'vitest'
import { restore, takeOver } from './index.ts'

const KEY = 'kernel.core_pattern'

const NOT_A_FILE: Readonly<Record<string, (path: string) => unknown>> = {
  'a FIFO': (path) => execFileSync('mkfifo', [path]),
  'a link': (path) => symlink('/dev/zero', path),
  'a directory': (path) => mkdir(path),
}

test('a backup directory that cannot be created is an error, and does not block [node-10]', async ({
  dir,
}) => {
  await mkdir(join(dir, 'kernel'))
  await writeFile(join(dir, 'kernel/core_pattern'), 'core')
  const taken = takeOver({ [KEY]: '|ours' }, { root: dir, backupDir: '/proc/backups/here' })
  await expect(taken).rejects.toMatchObject({ code: 'BACKUP', key: KEY })
  expect(await readFile(join(dir, 'kernel/core_pattern'), 'utf8')).toBe('core')
})

test.for(Object.keys(NOT_A_FILE))(
  '%s in the place of a backup is an error, and does not block',
  async (kind, { dir }) => {
    await mkdir(join(dir, 'kernel'))
    await writeFile(join(dir, 'kernel/core_pattern'), '|ours')
    await NOT_A_FILE[kind]?.(join(dir, 'core_pattern.bak'))
    const [result] = await restore([KEY], { root: dir, backupDir: dir })
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'BACKUP', key: KEY } })
    expect(await readFile(join(dir, 'kernel/core_pattern'), 'utf8')).toBe('|ours')
  },
)
