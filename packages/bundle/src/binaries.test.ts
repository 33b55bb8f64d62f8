import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  binaryPart,
  formatStoredBinary,
  isBinaryPart,
  isBuildId,
  readStoredBinaries,
} from './index.ts'

const ID = '0123456789abcdef'
const NOW = Date.UTC(2026, 0, 1)
const DAY_MS = 86_400_000

describe('isBuildId', () => {
  it.for([ID, 'ab'.repeat(20), 'ab'.repeat(64)])('takes %s', (text) =>
    expect(isBuildId(text)).toBe(true),
  )

  it.for([
    '',
    '..',
    'ab',
    ID.slice(1),
    `${ID}a`,
    'AB'.repeat(20),
    'ab'.repeat(65),
    `../${ID}`,
    `${ID}\n`,
    `${ID}/${ID}`,
  ])('rejects %j', (text) => {
    expect(isBuildId(text)).toBe(false)
    expect(isBinaryPart(binaryPart(text))).toBe(false)
  })
})

describe('readStoredBinaries', () => {
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'stored-'))
    return () => rm(directory, { recursive: true })
  })

  it('has what was seen in the last seven days', async () => {
    const lines = [
      's3://bucket/\n',
      formatStoredBinary(ID, NOW - 6 * DAY_MS),
      formatStoredBinary('ab'.repeat(20), NOW - 8 * DAY_MS),
      // a clock that was set back
      formatStoredBinary('cd'.repeat(20), NOW + DAY_MS),
      `../../${ID} ${NOW}\n`,
      `${ID}00`,
    ]
    await writeFile(join(directory, '.stored'), lines.join(''))
    expect([...(await readStoredBinaries(directory, NOW))]).toEqual([[ID, NOW - 6 * DAY_MS]])
  })

  it('is empty for a file that is absent, a directory or random bytes', async () => {
    expect((await readStoredBinaries(directory)).size).toBe(0)
    await mkdir(join(directory, '.stored'))
    expect((await readStoredBinaries(directory)).size).toBe(0)
    await rm(join(directory, '.stored'), { recursive: true })
    await writeFile(join(directory, '.stored'), Buffer.alloc(5_000_000, '\xff\0\n', 'latin1'))
    expect((await readStoredBinaries(directory)).size).toBe(0)
  })
})
