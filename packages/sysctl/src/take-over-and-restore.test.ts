import { mkdir, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test as base } from '@core-dump-handler/testing/scratch'
import { expect } from 'vitest'
import { restore, readSysctl, takeOver, type IsOurs } from './index.ts'

const KEYS = ['fs.suid_dumpable', 'kernel.core_pattern']
const isOurs: IsOurs = (key, value) =>
  key === 'kernel.core_pattern' ? value.startsWith('|/ours') : value === '2'

const test = base.extend<{ root: string; backupDir: string }>({
  root: async ({ dir }, use) => {
    await mkdir(join(dir, 'sys/kernel'), { recursive: true })
    await mkdir(join(dir, 'sys/fs'))
    await writeFile(join(dir, 'sys/kernel/core_pattern'), 'core\n')
    await writeFile(join(dir, 'sys/fs/suid_dumpable'), '0\n')
    await use(join(dir, 'sys'))
  },
  backupDir: async ({ dir }, use) => use(join(dir, 'backups')),
})

const values = (pattern: string): Record<string, string> => ({
  'fs.suid_dumpable': '2',
  'kernel.core_pattern': pattern,
})

test('saves the value found, sets the new one, and restores', async ({ root, backupDir }) => {
  const taken = await takeOver(values('|/ours/a'), { root, backupDir, isOurs })
  expect(taken).toEqual([
    { key: 'fs.suid_dumpable', found: '0', changed: true, backup: '0' },
    { key: 'kernel.core_pattern', found: 'core', changed: true, backup: 'core' },
  ])
  expect(await readFile(join(backupDir, 'core_pattern.bak'), 'utf8')).toBe('core')
  expect((await stat(join(backupDir, 'core_pattern.bak'))).mode & 0o777).toBe(0o600)
  expect(await readSysctl('kernel.core_pattern', { root })).toBe('|/ours/a')

  expect(await restore(KEYS, { root, backupDir, isOurs })).toEqual([
    { key: 'fs.suid_dumpable', outcome: 'restored', value: '0' },
    { key: 'kernel.core_pattern', outcome: 'restored', value: 'core' },
  ])
  expect(await readdir(backupDir)).toEqual([])
  expect(await readSysctl('kernel.core_pattern', { root })).toBe('core')
})

test('D9: a newer value of another program is what restore sets', async ({ root, backupDir }) => {
  const options = { root, backupDir, isOurs }
  await takeOver(values('|/ours/a'), options)
  await writeFile(join(root, 'kernel/core_pattern'), '|/usr/lib/newer\n')
  const [, taken] = await takeOver(values('|/ours/b'), options)
  expect(taken).toMatchObject({ found: '|/usr/lib/newer', backup: '|/usr/lib/newer' })
  await takeOver(values('|/ours/c'), options)
  await restore(KEYS, options)
  expect(await readSysctl('kernel.core_pattern', { root })).toBe('|/usr/lib/newer')
})

test('D9: a take-over that fails leaves the backups as they were', async ({ root, backupDir }) => {
  const options = { root, backupDir, isOurs }
  await takeOver(values('|/ours/a'), options)
  await writeFile(join(root, 'kernel/core_pattern'), '|/usr/lib/newer\n')
  const attempt = takeOver({ ...values('|/ours/b'), 'fs.absent': '1' }, options)
  await expect(attempt).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(await readSysctl('kernel.core_pattern', { root })).toBe('|/usr/lib/newer')
  expect(await readFile(join(backupDir, 'core_pattern.bak'), 'utf8')).toBe('core')
})

test('D9: the directory of the last run is adopted before an older one', async ({
  dir,
  root,
  backupDir,
}) => {
  await takeOver(values('|/ours/a'), { root, backupDir, isOurs })
  await writeFile(join(root, 'kernel/core_pattern'), '|/usr/lib/newer\n')
  const last = join(dir, 'last')
  await takeOver(values('|/ours/b'), { root, backupDir: last, isOurs })
  await takeOver(values('|/ours/a'), { root, backupDir, isOurs, earlierBackupDirs: [last] })
  await restore(KEYS, { root, backupDir, isOurs })
  expect(await readSysctl('kernel.core_pattern', { root })).toBe('|/usr/lib/newer')
})

test('the first value of another program survives restarts and changes of our own value', async ({
  root,
  backupDir,
}) => {
  for (const pattern of ['|/ours/a', '|/ours/a', '|/ours/b', '|/ours/c']) {
    await takeOver(values(pattern), { root, backupDir, isOurs })
  }
  await restore(KEYS, { root, backupDir, isOurs })
  expect(await readSysctl('kernel.core_pattern', { root })).toBe('core')
})

test('another backup directory adopts the first value of another program, never our own [B2]', async ({
  dir,
  root,
  backupDir,
}) => {
  await takeOver(values('|/ours/a'), { root, backupDir: join(dir, 'a'), isOurs })
  const options = {
    root,
    backupDir,
    isOurs,
    earlierBackupDirs: [join(dir, 'gone'), join(dir, 'a')],
  }
  await takeOver(values('|/ours/b'), options)

  await restore(KEYS, { root, backupDir, isOurs })
  expect(await readSysctl('kernel.core_pattern', { root })).toBe('core')
  expect(await readSysctl('fs.suid_dumpable', { root })).toBe('0')
})

test('a value of another program in force is saved in place of an earlier backup', async ({
  dir,
  root,
  backupDir,
}) => {
  await mkdir(join(dir, 'a'))
  await writeFile(join(dir, 'a/core_pattern.bak'), 'stale')
  await takeOver(values('|/ours/b'), {
    root,
    backupDir,
    isOurs,
    earlierBackupDirs: [join(dir, 'a')],
  })
  expect(await readFile(join(backupDir, 'core_pattern.bak'), 'utf8')).toBe('core')
})

test('our own value without a backup is not saved, and the fallback is restored', async ({
  root,
  backupDir,
}) => {
  await writeFile(join(root, 'kernel/core_pattern'), '|/ours/lost\n')
  await takeOver({ 'kernel.core_pattern': '|/ours/a' }, { root, backupDir, isOurs })
  await expect(readdir(backupDir)).rejects.toThrow('ENOENT')

  const fallbacks = { 'kernel.core_pattern': 'core' }
  expect(await restore(['kernel.core_pattern'], { root, backupDir, isOurs, fallbacks })).toEqual([
    { key: 'kernel.core_pattern', outcome: 'fallback', value: 'core' },
  ])
})

test('a value that is as wanted is by default neither saved nor changed', async ({
  root,
  backupDir,
}) => {
  const [taken] = await takeOver({ 'fs.suid_dumpable': '0' }, { root, backupDir })
  expect(taken).toEqual({ key: 'fs.suid_dumpable', found: '0', changed: false })
  await restore(['fs.suid_dumpable'], { root, backupDir })
  expect(await readSysctl('fs.suid_dumpable', { root })).toBe('0')
})

test('a value that was as wanted before is restored after a change of our own value', async ({
  root,
  backupDir,
}) => {
  await writeFile(join(root, 'fs/suid_dumpable'), '2\n')
  await takeOver({ 'fs.suid_dumpable': '2' }, { root, backupDir, isOurs: () => false })
  await takeOver({ 'fs.suid_dumpable': '1' }, { root, backupDir, isOurs: () => true })
  await restore(['fs.suid_dumpable'], { root, backupDir })
  expect(await readSysctl('fs.suid_dumpable', { root })).toBe('2')
})

test('undoes values and backups when a later key is missing', async ({ root, backupDir }) => {
  const attempt = takeOver({ ...values('|/ours/a'), 'fs.absent': '1' }, { root, backupDir, isOurs })
  await expect(attempt).rejects.toMatchObject({ code: 'NOT_FOUND', key: 'fs.absent' })
  expect(await readSysctl('kernel.core_pattern', { root })).toBe('core')
  expect(await readSysctl('fs.suid_dumpable', { root })).toBe('0')
  expect(await readdir(backupDir)).toEqual([])
})

test('a pattern that is too long changes nothing [B21]', async ({ root, backupDir }) => {
  const attempt = takeOver(values(`|/ours/${'d'.repeat(121)}`), { root, backupDir, isOurs })
  await expect(attempt).rejects.toMatchObject({ code: 'TOO_LONG' })
  expect(await readSysctl('fs.suid_dumpable', { root })).toBe('0')
})

test('a backup that cannot be written stops the take-over before the value is touched', async ({
  dir,
  root,
}) => {
  await writeFile(join(dir, 'file'), '')
  const attempt = takeOver(values('|/ours/a'), { root, backupDir: join(dir, 'file/backups') })
  await expect(attempt).rejects.toMatchObject({ code: 'BACKUP', key: 'fs.suid_dumpable' })
  expect(await readSysctl('fs.suid_dumpable', { root })).toBe('0')
})

test('restore continues after a key that fails, and reports it', async ({ root, backupDir }) => {
  await takeOver(values('|/ours/a'), { root, backupDir, isOurs })
  await rm(join(root, 'fs/suid_dumpable'))
  await symlink('/dev/null', join(root, 'fs/suid_dumpable'))

  const results = await restore(KEYS, { root, backupDir })
  expect(results).toMatchObject([
    { key: 'fs.suid_dumpable', outcome: 'failed', error: { code: 'REFUSED' } },
    { key: 'kernel.core_pattern', outcome: 'restored' },
  ])
  expect(await readdir(backupDir), 'the backup is kept for another attempt').toEqual([
    'suid_dumpable.bak',
  ])
})

test('restoring twice, or without a take-over, changes nothing', async ({ root, backupDir }) => {
  await takeOver(values('|/ours/a'), { root, backupDir, isOurs })
  await restore(KEYS, { root, backupDir, isOurs })
  for (const result of await restore(KEYS, { root, backupDir, isOurs })) {
    expect(result.outcome).toBe('unchanged')
  }
  expect(await readSysctl('kernel.core_pattern', { root })).toBe('core')
})

test('a newer value of another program is kept', async ({ root, backupDir }) => {
  await takeOver(values('|/ours/a'), { root, backupDir, isOurs })
  await writeFile(join(root, 'kernel/core_pattern'), '|/usr/lib/another\n')

  const [, pattern] = await restore(KEYS, { root, backupDir, isOurs })
  expect(pattern).toEqual({
    key: 'kernel.core_pattern',
    outcome: 'not-ours',
    value: '|/usr/lib/another',
  })
  expect(await readdir(backupDir)).toEqual([])
})
