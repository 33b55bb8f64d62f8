import { execFile } from 'node:child_process'
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test as base } from '@core-dump-handler/testing/scratch'
import { expect } from 'vitest'
import { isSysctlError, readSysctl, sysctlPath, writeSysctl } from './index.ts'

const test = base.extend<{ root: string }>({
  root: async ({ dir }, use) => {
    await mkdir(join(dir, 'kernel'))
    await writeFile(join(dir, 'kernel/core_pattern'), 'core.%p \n')
    await use(dir)
  },
})

test('reads a value without the newline of the kernel', async ({ root }) => {
  expect(await readSysctl('kernel.core_pattern', { root })).toBe('core.%p ')
  expect(await readSysctl('kernel/core_pattern', { root })).toBe('core.%p ')
})

test('reads the real tree by default', async () => {
  expect(await readSysctl('kernel.ostype')).toBe('Linux')
})

test('writes a shorter value over a longer one', async ({ root }) => {
  await writeSysctl('kernel.core_pattern', 'x', { root })
  expect(await readFile(join(root, 'kernel/core_pattern'), 'utf8')).toBe('x\n')
})

test('rejects a core pattern of 128 bytes with both lengths and changes nothing', async ({
  root,
}) => {
  await writeSysctl('kernel.core_pattern', 'y'.repeat(127), { root })
  const attempt = writeSysctl('kernel.core_pattern', 'é'.repeat(64), { root })

  await expect(attempt).rejects.toThrow(/128 bytes.*127/)
  await expect(attempt).rejects.toMatchObject({ code: 'TOO_LONG', key: 'kernel.core_pattern' })
  expect(await readSysctl('kernel.core_pattern', { root })).toBe('y'.repeat(127))
})

test('a value that does not read back is rejected [node-5]', async ({ root }) => {
  await symlink('/dev/null', join(root, 'kernel/ignores-writes'))
  const attempt = writeSysctl('kernel.ignores-writes', '1', { root })
  await expect(attempt).rejects.toMatchObject({ code: 'REFUSED', key: 'kernel.ignores-writes' })
  await expect(attempt).rejects.toThrow(/1 bytes `1` it reads back `` \(0 bytes\)/)
})

test('a key that does not exist is not created', async ({ root }) => {
  await expect(writeSysctl('fs.absent', '2', { root })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    key: 'fs.absent',
  })
  expect(await readdir(root)).toEqual(['kernel'])
})

test.for(['a\nb', 'a\0b'])('rejects the value %j', async (value, { root }) => {
  await expect(writeSysctl('kernel.core_pattern', value, { root })).rejects.toMatchObject({
    code: 'INVALID_VALUE',
  })
})

test.for(['', '..', 'kernel.../x', '/etc/passwd', 'kernel.core pattern', 'kernel.a\nb'])(
  'rejects the key %j',
  async (key, { root }) => {
    const error: unknown = await readSysctl(key, { root }).catch((cause: unknown) => cause)
    expect(isSysctlError(error) && error.code).toBe('INVALID_KEY')
  },
)

test('returns the file of a key', () => {
  expect(sysctlPath('fs.suid_dumpable')).toBe('/proc/sys/fs/suid_dumpable')
})

test('a value that the kernel cuts without an error is rejected, and the old one restored [node-5]', async ({
  skip,
}) => {
  // the real kernel cuts a host name at 64 bytes; in a UTS namespace of its own it affects no one
  const run = promisify(execFile)
  const script = `
    import { readSysctl, writeSysctl } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))}
    await writeSysctl('kernel.hostname', 'before')
    const error = await writeSysctl('kernel.hostname', 'n'.repeat(80)).catch((cause) => cause)
    process.stdout.write(JSON.stringify([error.code, error.message, await readSysctl('kernel.hostname')]))`
  const args = ['--uts', process.execPath, '--input-type=module', '-e', script]
  const { stdout } = await run('unshare', args).catch((cause: unknown) => {
    if (/unshare: unshare failed|ENOENT/.test(String(cause))) {
      return skip('needs util-linux unshare and the right to make a UTS namespace')
    }
    throw cause
  })
  expect(JSON.parse(stdout)).toEqual([
    'TOO_LONG',
    expect.stringMatching(/80 bytes, the kernel keeps 64/),
    'before',
  ])
})
