import { execFileSync } from 'node:child_process'
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from '@core-dump-handler/testing/scratch'
import { expect } from 'vitest'
import { readBackup, renewBackup, restore, takeOver } from './index.ts'

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

test.for([
  ['kernel.core_pattern', ''],
  ['kernel.core_pattern', '\n'],
  ['kernel.core_pattern', '\0\0\0\0'],
  ['kernel.core_pattern', '|/usr/lib/handler %P %'],
  ['kernel.core_pattern', '|/usr/lib/handler %%%'],
  ['kernel.core_pattern', '| '],
  ['kernel.core_pattern', '@@'],
  ['kernel.core_pattern', 'x'.repeat(128)],
  ['kernel.core_pattern', '|/usr/lib/\u009bhandler'],
  ['kernel.core_pattern', '|/ours'],
  ['kernel.core_pipe_limit', '1x'],
  ['kernel.core_pipe_limit', '99999999999'],
  ['fs.suid_dumpable', '3'],
  ['fs.suid_dumpable', '-1'],
] as const)('D9: of `%s` the backup %j is none', async ([key, text], { dir }) => {
  const [folder = '', name = ''] = key.split('.')
  await mkdir(join(dir, folder))
  await writeFile(join(dir, folder, name), '|/ours\n')
  await writeFile(join(dir, `${name}.bak`), text)
  const options = {
    root: dir,
    backupDir: dir,
    isBackup: (_: string, value: string) => value !== '|/ours',
  }
  expect(await readBackup(key, options)).toEqual({
    unusable: expect.stringContaining(`${name}.bak`),
  })
  expect(await renewBackup(key, text.split('\n', 1)[0] ?? '', options)).toBe(false)

  const [kept] = await restore([key], options)
  expect(kept, 'no default is known').toMatchObject({
    outcome: 'failed',
    error: { code: 'BACKUP' },
  })
  const [result] = await restore([key], { ...options, fallbacks: { [key]: '0' } })
  expect(result).toMatchObject({ outcome: 'fallback', value: '0', unusable: expect.any(String) })
  expect(await readdir(dir)).toEqual([folder])
})

test.for([
  ['kernel.core_pattern', 'core'],
  ['kernel.core_pattern', '/var/crash/100%%'],
  ['kernel.core_pattern', '|/bin/false'],
  ['kernel.core_pattern', `|/usr/lib/handler ${'%p'.repeat(54)}%`],
  ['kernel.core_pipe_limit', '16'],
  ['fs.suid_dumpable', '2'],
  ['kernel.hostname', 'any text'],
] as const)('of `%s` the value %j is a backup', async ([key, value], { dir }) => {
  expect(await renewBackup(key, value, { backupDir: dir })).toBe(true)
  expect(await readBackup(key, { backupDir: dir })).toEqual({ value })
})
