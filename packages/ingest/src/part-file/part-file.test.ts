import { link, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { test } from '@core-dump-handler/testing/scratch'
import { createPartFile, isIngestError } from '../index.ts'

test('has an unfinished name and mode 0600 until it is published [B17]', async ({ dir }) => {
  const path = join(dir, 'a.zip')
  const file = await createPartFile(path)
  expect(file.path).toBe(join(dir, '.a.zip.part'))
  file.write([Buffer.from('hello '), Buffer.from('world')])
  await file.patch(Buffer.from('J'), 0)
  expect(await readdir(dir)).toEqual(['.a.zip.part'])
  await file.publish()
  expect(await readdir(dir)).toEqual(['a.zip'])
  expect(await readFile(path, 'utf8')).toBe('Jello world')
  expect(await stat(path)).toMatchObject({ mode: 0o100600, nlink: 1 })
})

test('has the given mode', async ({ dir }) => {
  const file = await createPartFile(join(dir, 'a'), { mode: 0o640 })
  await file.publish()
  expect((await stat(join(dir, 'a'))).mode & 0o777).toBe(0o640)
})

test('is removed when it is discarded or disposed of unpublished', async ({ dir }) => {
  const file = await createPartFile(join(dir, 'a'))
  file.write([Buffer.from('x')])
  await file.discard()
  await file.discard()
  {
    await using other = await createPartFile(join(dir, 'b'))
    other.write([Buffer.from('x')])
  }
  expect(await readdir(dir)).toEqual([])
})

test('continues after a truncate', async ({ dir }) => {
  const file = await createPartFile(join(dir, 'a'))
  file.write([Buffer.from('0123456789')])
  file.truncate(3)
  file.write([Buffer.from('abc')])
  expect(file.bytes).toBe(6)
  await file.publish()
  expect(await readFile(join(dir, 'a'), 'utf8')).toBe('012abc')
})

test('writes more chunks than one writev takes, some of them empty', async ({ dir }) => {
  const chunks = Array.from({ length: 3000 }, (_, i) => Buffer.from(i % 7 ? `${i},` : ''))
  const file = await createPartFile(join(dir, 'a'))
  file.write(chunks)
  file.write([])
  await file.publish()
  expect(await readFile(join(dir, 'a'))).toEqual(Buffer.concat(chunks))
})

test('accepts a final name of 255 bytes', async ({ dir }) => {
  const names = ['ä'.repeat(127) + '1', 'ä'.repeat(127) + '2']
  const files = await Promise.all(names.map((name) => createPartFile(join(dir, name))))
  expect(new Set(files.map(({ path }) => path)).size).toBe(2)
  for (const file of files) {
    expect(file.path).toMatch(/\/\.ä+~[0-9a-f]{16}\.part$/)
    await file.publish()
  }
  expect((await readdir(dir)).toSorted()).toEqual(names)
})

describe('never replaces', () => {
  test('a file with the final name, whenever it was created', async ({ dir }) => {
    const path = join(dir, 'a.zip')
    const file = await createPartFile(path)
    file.write([Buffer.from('ours')])
    await writeFile(path, 'theirs')
    await expect(file.publish()).rejects.toMatchObject({ code: 'EXISTS', subject: path })
    expect(await readFile(path, 'utf8')).toBe('theirs')
    expect(await readFile(file.path, 'utf8')).toBe('ours')
    await file.discard()
    await expect(createPartFile(path)).rejects.toThrow(/it exists/)
    expect(await readdir(dir)).toEqual(['a.zip'])
  })

  test('a part file of another writer', async ({ dir }) => {
    const path = join(dir, 'a.zip')
    const file = await createPartFile(path)
    await expect(createPartFile(path)).rejects.toThrow(expect.objectContaining({ code: 'EXISTS' }))
    await file.publish()
  })

  test('the target of a symbolic or hard link in its place [attack-6]', async ({ dir }) => {
    const victim = join(dir, 'victim')
    await writeFile(victim, 'precious')
    await symlink(victim, join(dir, '.a.part'))
    await link(victim, join(dir, '.b.part'))
    await symlink(victim, join(dir, 'c'))
    for (const name of ['a', 'b', 'c']) {
      await expect(createPartFile(join(dir, name))).rejects.toThrow(
        expect.objectContaining({ code: 'EXISTS' }),
      )
    }
    expect(await readFile(victim, 'utf8')).toBe('precious')
  })
})

describe('throws', () => {
  test.for<[what: string, name: string, code: string]>([
    ['a directory that is not there', 'absent/a.zip', 'NOT_FOUND'],
    ['a directory that is a file', 'file/a.zip', 'NOT_FOUND'],
    ['a name that is too long', 'x'.repeat(256), 'NAME_TOO_LONG'],
  ])('%s', async ([, name, code], { dir }) => {
    await writeFile(join(dir, 'file'), '')
    await expect(createPartFile(join(dir, name))).rejects.toThrow(expect.objectContaining({ code }))
  })

  test('a directory in its place', async ({ dir }) => {
    await mkdir(join(dir, 'a'))
    await expect(createPartFile(join(dir, 'a'))).rejects.toThrow(/choose another name/)
  })

  test('a write after the end', async ({ dir }) => {
    const file = await createPartFile(join(dir, 'a'))
    await file.publish()
    const late = { name: 'IngestError', code: 'CLOSED', subject: file.path }
    expect(() => file.write([Buffer.from('late')])).toThrow(expect.objectContaining(late))
    await expect(file.publish()).rejects.toSatisfy(isIngestError)
  })
})
