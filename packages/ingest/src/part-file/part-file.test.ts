import { link, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { test } from '../../testing/scratch.ts'
import { createPartFile, isIngestError } from '../index.ts'

test('is nobody else’s business until it is published whole [B17]', async ({ dir }) => {
  const path = join(dir, 'a.zip')
  const file = createPartFile(path)
  expect(file.path).toBe(join(dir, '.a.zip.part'))
  file.write([Buffer.from('hello '), Buffer.from('world')])
  file.patch(Buffer.from('J'), 0)
  expect(await readdir(dir)).toEqual(['.a.zip.part'])
  await file.publish()
  expect(await readdir(dir)).toEqual(['a.zip'])
  expect(await readFile(path, 'utf8')).toBe('Jello world')
  expect(await stat(path)).toMatchObject({ mode: 0o100600, nlink: 1 })
})

test('has the mode it was asked for', async ({ dir }) => {
  const file = createPartFile(join(dir, 'a'), { mode: 0o640 })
  await file.publish()
  expect((await stat(join(dir, 'a'))).mode & 0o777).toBe(0o640)
})

test('is gone when it is discarded, or left without being published', async ({ dir }) => {
  const file = createPartFile(join(dir, 'a'))
  file.write([Buffer.from('x')])
  await file.discard()
  await file.discard()
  {
    await using other = createPartFile(join(dir, 'b'))
    other.write([Buffer.from('x')])
  }
  expect(await readdir(dir)).toEqual([])
})

test('forgets what is truncated, and goes on from there', async ({ dir }) => {
  const file = createPartFile(join(dir, 'a'))
  file.write([Buffer.from('0123456789')])
  file.truncate(3)
  file.write([Buffer.from('abc')])
  expect(file.bytes).toBe(6)
  await file.publish()
  expect(await readFile(join(dir, 'a'), 'utf8')).toBe('012abc')
})

test('takes more chunks than one writev, some of them empty', async ({ dir }) => {
  const chunks = Array.from({ length: 3000 }, (_, i) => Buffer.from(i % 7 ? `${i},` : ''))
  const file = createPartFile(join(dir, 'a'))
  file.write(chunks)
  file.write([])
  await file.publish()
  expect(await readFile(join(dir, 'a'))).toEqual(Buffer.concat(chunks))
})

test('a name of 255 bytes leaves no room for more, and is taken all the same', async ({ dir }) => {
  const names = ['ä'.repeat(127) + '1', 'ä'.repeat(127) + '2']
  const files = names.map((name) => createPartFile(join(dir, name)))
  expect(new Set(files.map(({ path }) => path)).size).toBe(2)
  for (const file of files) {
    expect(file.path).toMatch(/\/\.ä+~[0-9a-f]{16}\.part$/)
    await file.publish()
  }
  expect((await readdir(dir)).toSorted()).toEqual(names)
})

describe('never replaces', () => {
  test('a file that has the final name, whenever it came', async ({ dir }) => {
    const path = join(dir, 'a.zip')
    const file = createPartFile(path)
    file.write([Buffer.from('ours')])
    await writeFile(path, 'theirs')
    await expect(file.publish()).rejects.toMatchObject({ code: 'EXISTS', subject: path })
    expect(await readFile(path, 'utf8')).toBe('theirs')
    expect(await readFile(file.path, 'utf8')).toBe('ours')
    await file.discard()
    expect(() => createPartFile(path)).toThrow(/it exists/)
    expect(await readdir(dir)).toEqual(['a.zip'])
  })

  test('a part file of another writer', async ({ dir }) => {
    const path = join(dir, 'a.zip')
    const file = createPartFile(path)
    expect(() => createPartFile(path)).toThrow(expect.objectContaining({ code: 'EXISTS' }))
    await file.publish()
  })

  test('what a symbolic or hard link in its place points to [attack-6]', async ({ dir }) => {
    const victim = join(dir, 'victim')
    await writeFile(victim, 'precious')
    await symlink(victim, join(dir, '.a.part'))
    await link(victim, join(dir, '.b.part'))
    await symlink(victim, join(dir, 'c'))
    for (const name of ['a', 'b', 'c']) {
      expect(() => createPartFile(join(dir, name))).toThrow(
        expect.objectContaining({ code: 'EXISTS' }),
      )
    }
    expect(await readFile(victim, 'utf8')).toBe('precious')
  })
})

describe('says what is wrong', () => {
  test.for<[what: string, name: string, code: string]>([
    ['a directory that is not there', 'absent/a.zip', 'NOT_FOUND'],
    ['a directory that is a file', 'file/a.zip', 'NOT_FOUND'],
    ['a name that is too long', 'x'.repeat(256), 'NAME_TOO_LONG'],
  ])('%s', async ([, name, code], { dir }) => {
    await writeFile(join(dir, 'file'), '')
    expect(() => createPartFile(join(dir, name))).toThrow(expect.objectContaining({ code }))
  })

  test('a directory in its place', async ({ dir }) => {
    await mkdir(join(dir, 'a'))
    expect(() => createPartFile(join(dir, 'a'))).toThrow(/choose another name/)
  })

  test('a write after the end', async ({ dir }) => {
    const file = createPartFile(join(dir, 'a'))
    await file.publish()
    const late = { name: 'IngestError', code: 'CLOSED', subject: file.path }
    expect(() => file.write([Buffer.from('late')])).toThrow(expect.objectContaining(late))
    await expect(file.publish()).rejects.toSatisfy(isIngestError)
  })
})
