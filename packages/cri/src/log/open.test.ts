import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { openContainerLog } from '../index.ts'
import { test as base } from '../testing/scratch.ts'

const test = base.extend<{ path: string }>({
  path: async ({ dir }, use) => {
    const path = join(dir, 'default_pod_uid/main/0.log')
    mkdirSync(dirname(path), { recursive: true })
    await use(path)
  },
})

const record = (text: string, stream = 'stdout', tag = 'F'): string =>
  `2026-11-23T05:57:01.12345678Z ${stream} ${tag} ${text}\n`

async function tail(path: string, lines: number, maxBytes?: number): Promise<string> {
  const log = await openContainerLog(path, maxBytes === undefined ? {} : { maxBytes })
  try {
    return (await log.tail(lines)).bytes.toString()
  } finally {
    await log.close()
  }
}

test('gives the last lines of both streams in the order of the file [B8]', async ({ path }) => {
  const records = [record('one'), record('two', 'stderr'), record('three'), record('', 'stderr')]
  writeFileSync(path, records.join(''))
  expect(await tail(path, 3)).toBe('two\nthree\n\n')
  expect(await tail(path, 99)).toBe('one\ntwo\nthree\n\n')
  expect(await tail(path, 0)).toBe('')
})

test('joins partial records, each stream by itself', async ({ path }) => {
  const records = [
    record('before'),
    record('out-1 ', 'stdout', 'P'),
    record('err-1 ', 'stderr', 'P'),
    record('out-2', 'stdout', 'F'),
    record('err-2', 'stderr', 'F:tag'),
    record('died in the middle of', 'stderr', 'P'),
  ]
  writeFileSync(path, records.join(''))
  expect(await tail(path, 3)).toBe('out-1 out-2\nerr-1 err-2\ndied in the middle of\n')
})

test('reads back as far as the lines and their beginnings are', async ({ path }) => {
  const part = 'x'.repeat(16_384)
  const long = Array.from({ length: 12 }, () => record(part, 'stderr', 'P')).join('')
  const noise = record('noise').repeat(3)
  writeFileSync(path, `${record('first')}${long}${noise}${record('end', 'stderr')}`)
  const text = await tail(path, 4)
  expect(text.length).toBe('noise\n'.length * 3 + part.length * 12 + 'end\n'.length)
  expect(text.endsWith('xend\n')).toBe(true)
})

test('bounds what it reads, and says that something is missing', async ({ path }) => {
  writeFileSync(path, record('x'.repeat(90)).repeat(10_000))
  const log = await openContainerLog(path, { maxBytes: 10_000 })
  const { bytes, truncated } = await log.tail(5000)
  await log.close()
  expect(truncated).toBe(true)
  expect(bytes.length).toBeGreaterThan(5000)
  expect(bytes.length).toBeLessThan(10_000)
  expect(await tail(path, 1, 10_000)).toBe(`${'x'.repeat(90)}\n`)
})

test('gives the end of a single line that is longer than the bound', async ({ path }) => {
  writeFileSync(path, record('x'.repeat(1000), 'stdout', 'P').repeat(100) + record('end'))
  expect(await tail(path, 1, 5000)).toMatch(/^x{3000,4900}end\n$/)
})

test('keeps bytes that are not UTF-8, and lines that are no records', async ({ path }) => {
  const bytes = Buffer.concat([Buffer.from(record('').trimEnd() + ' '), Buffer.from([0xff, 10])])
  writeFileSync(path, Buffer.concat([bytes, Buffer.from('not a record\n')]))
  const log = await openContainerLog(path)
  expect((await log.tail(2)).bytes).toEqual(
    Buffer.concat([Buffer.from([0xff, 10]), Buffer.from('not a record\n')]),
  )
  await log.close()
})

test('goes on in the log that was rotated last when the new one is short', async ({ path }) => {
  writeFileSync(`${path}.20261123-050000`, record('older'))
  writeFileSync(`${path}.20261123-055700`, record('one') + record('two', 'stdout', 'P'))
  writeFileSync(`${path}.20261122-000000.gz`, 'compressed')
  writeFileSync(`${path}.20991231-notatime`, record('stranger'))
  writeFileSync(path, record('rest') + record('three'))
  expect(await tail(path, 3)).toBe('one\ntworest\nthree\n')
  expect(await tail(path, 1)).toBe('three\n')
})

test('finds the rotated log while there is no new one yet', async ({ path }) => {
  writeFileSync(`${path}.20261123-055700`, record('last words'))
  expect(await tail(path, 5)).toBe('last words\n')
})

test('reads a log that was removed after it was opened', async ({ path }) => {
  writeFileSync(path, record('last words'))
  const log = await openContainerLog(path)
  rmSync(dirname(path), { recursive: true })
  expect(String((await log.tail(5)).bytes)).toBe('last words\n')
  await log.close()
})

test('reads on in the new file when the log is rotated after it was opened', async ({ path }) => {
  writeFileSync(path, record('one'))
  const log = await openContainerLog(path)
  renameSync(path, `${path}.20261123-055700`)
  writeFileSync(path, record('two'))
  expect(String((await log.tail(5)).bytes)).toBe('one\ntwo\n')
  expect(String((await log.tail(5)).bytes)).toBe('one\ntwo\n')
  await log.close()
})

test('says that there is no log', async ({ path }) => {
  await expect(openContainerLog(path)).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(openContainerLog(join(path, 'x/y'))).rejects.toMatchObject({ code: 'ENOENT' })
})

test('opens no link, FIFO, directory or device in the place of a log [attack-4]', async ({
  dir,
  path,
}) => {
  writeFileSync(join(dir, 'secret'), 'root:x:0:0')
  symlinkSync(join(dir, 'secret'), path)
  await expect(openContainerLog(path)).rejects.toMatchObject({ code: 'ELOOP' })
  rmSync(path)
  execFileSync('mkfifo', [path])
  await expect(openContainerLog(path)).rejects.toThrow('not a regular file')
  rmSync(path)
  mkdirSync(path)
  await expect(openContainerLog(path)).rejects.toThrow('not a regular file')
})

test('is not led out of the pod by a directory that is a link', async ({ dir, path }) => {
  mkdirSync(join(dir, 'other_pod_uid/main'), { recursive: true })
  writeFileSync(join(dir, 'other_pod_uid/main/0.log'), record('of another pod'))
  rmSync(dirname(path), { recursive: true })
  symlinkSync(join(dir, 'other_pod_uid/main'), dirname(path))
  await expect(openContainerLog(path)).rejects.toThrow('leads elsewhere')
})

test('follows the link that an administrator made of the whole tree', async ({ dir, path }) => {
  writeFileSync(path, record('here'))
  symlinkSync(dir, `${dir}-link`)
  try {
    expect(await tail(join(`${dir}-link`, 'default_pod_uid/main/0.log'), 1)).toBe('here\n')
  } finally {
    rmSync(`${dir}-link`)
  }
})
