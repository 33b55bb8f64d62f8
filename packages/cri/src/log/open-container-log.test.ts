import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect } from 'vitest'
import { openContainerLog } from '../index.ts'
import { test as base } from '@core-dump-handler/testing/scratch'

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

test('returns the last lines of both streams in the order of the file [B8]', async ({ path }) => {
  const records = [record('one'), record('two', 'stderr'), record('three'), record('', 'stderr')]
  writeFileSync(path, records.join(''))
  expect(await tail(path, 3)).toBe('two\nthree\n\n')
  expect(await tail(path, 99)).toBe('one\ntwo\nthree\n\n')
  expect(await tail(path, 0)).toBe('')
})

test('joins partial records by stream', async ({ path }) => {
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

test('reads backwards until all lines are whole', async ({ path }) => {
  const part = 'x'.repeat(16_384)
  const long = Array.from({ length: 12 }, () => record(part, 'stderr', 'P')).join('')
  const noise = record('noise').repeat(3)
  writeFileSync(path, `${record('first')}${long}${noise}${record('end', 'stderr')}`)
  const text = await tail(path, 4)
  expect(text.length).toBe('noise\n'.length * 3 + part.length * 12 + 'end\n'.length)
  expect(text.endsWith('xend\n')).toBe(true)
})

test('reads at most maxBytes and reports the log as truncated', async ({ path }) => {
  writeFileSync(path, record('x'.repeat(90)).repeat(10_000))
  const log = await openContainerLog(path, { maxBytes: 10_000 })
  const { bytes, truncated } = await log.tail(5000)
  await log.close()
  expect(truncated).toBe(true)
  expect(bytes.length).toBeGreaterThan(5000)
  expect(bytes.length).toBeLessThan(10_000)
  expect(await tail(path, 1, 10_000)).toBe(`${'x'.repeat(90)}\n`)
})

test('returns the end of a line that is longer than maxBytes', async ({ path }) => {
  writeFileSync(path, record('x'.repeat(1000), 'stdout', 'P').repeat(100) + record('end'))
  expect(await tail(path, 1, 5000)).toMatch(/^x{3000,4900}end\n$/)
})

test('keeps bytes that are not UTF-8 and lines that are not CRI records', async ({ path }) => {
  const bytes = Buffer.concat([Buffer.from(record('').trimEnd() + ' '), Buffer.from([0xff, 10])])
  writeFileSync(path, Buffer.concat([bytes, Buffer.from('not a record\n')]))
  const log = await openContainerLog(path)
  expect((await log.tail(2)).bytes).toEqual(
    Buffer.concat([Buffer.from([0xff, 10]), Buffer.from('not a record\n')]),
  )
  await log.close()
})

test('continues in the log rotated last where the new one is short', async ({ path }) => {
  writeFileSync(`${path}.20261123-050000`, record('older'))
  writeFileSync(`${path}.20261123-055700`, record('one') + record('two', 'stdout', 'P'))
  writeFileSync(`${path}.20261122-000000.gz`, 'compressed')
  writeFileSync(`${path}.20991231-notatime`, record('another'))
  writeFileSync(path, record('rest') + record('three'))
  expect(await tail(path, 3)).toBe('one\ntworest\nthree\n')
  expect(await tail(path, 1)).toBe('three\n')
})

test('reads the rotated log where there is no new one yet', async ({ path }) => {
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

test('reads the new file when the log is rotated after it was opened', async ({ path }) => {
  writeFileSync(path, record('one'))
  const log = await openContainerLog(path)
  renameSync(path, `${path}.20261123-055700`)
  writeFileSync(path, record('two'))
  expect(String((await log.tail(5)).bytes)).toBe('one\ntwo\n')
  expect(String((await log.tail(5)).bytes)).toBe('one\ntwo\n')
  await log.close()
})

test('rejects with ENOENT where there is no log', async ({ path }) => {
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

test('follows no directory link out of the pod', async ({ dir, path }) => {
  mkdirSync(join(dir, 'other_pod_uid/main'), { recursive: true })
  writeFileSync(join(dir, 'other_pod_uid/main/0.log'), record('of another pod'))
  rmSync(dirname(path), { recursive: true })
  symlinkSync(join(dir, 'other_pod_uid/main'), dirname(path))
  await expect(openContainerLog(path)).rejects.toThrow('leads elsewhere')
})

test('follows a link in the place of the whole tree', async ({ dir, path }) => {
  writeFileSync(path, record('here'))
  symlinkSync(dir, `${dir}-link`)
  try {
    expect(await tail(join(`${dir}-link`, 'default_pod_uid/main/0.log'), 1)).toBe('here\n')
  } finally {
    rmSync(`${dir}-link`)
  }
})

const json = (log: string, stream = 'stdout'): string =>
  `${JSON.stringify({ log, stream, time: '2026-11-30T10:00:00Z' })}\n`

function linkTo(target: string, path: string, text: string): void {
  mkdirSync(dirname(target), { recursive: true })
  writeFileSync(target, text)
  symlinkSync(target, path)
}

describe('W10: a log of docker behind cri-dockerd', () => {
  const containerId = 'd'.repeat(64)
  async function lastLines(path: string, lines: number): Promise<string> {
    const log = await openContainerLog(path, { containerId })
    try {
      return (await log.tail(lines)).bytes.toString()
    } finally {
      await log.close()
    }
  }

  test('is followed and decoded', async ({ dir, path }) => {
    const target = join(dir, `docker/containers/${containerId}/${containerId}-json.log`)
    const part = 'p'.repeat(16_384)
    const text = `${json('old\n')}${json(part)}${json('err\n', 'stderr')}${json('end\n')}${json('{"log":"fatal: \u00fc"}\n', 'stderr')}`
    linkTo(target, path, text)
    expect(await lastLines(path, 3)).toBe(`err\n${part}end\n{"log":"fatal: \u00fc"}\n`)
    expect(await lastLines(path, 4)).toMatch(/^old\n/)
  })

  test('continues in the file that docker rotated last', async ({ dir, path }) => {
    const target = join(dir, `docker/containers/${containerId}/${containerId}-json.log`)
    linkTo(target, path, json('new\n'))
    writeFileSync(`${target}.1`, json('before\n'))
    expect(await lastLines(path, 5)).toBe('before\nnew\n')
  })

  const forgeries = [
    ['another container', `containers/${'e'.repeat(64)}/${'e'.repeat(64)}-json.log`],
    ['another file of the container', `containers/${containerId}/config.v2.json`],
    ['a file outside the directories of docker', `x/${containerId}-json.log`],
  ] as const
  test.for(forgeries)('a link to %s is not followed', async ([, target], { dir, path }) => {
    linkTo(join(dir, target), path, json('secret\n'))
    await expect(lastLines(path, 1)).rejects.toThrow(/ELOOP/)
  })

  test('a link in the place of the target is not followed', async ({ dir, path }) => {
    const directory = join(dir, `docker/containers/${containerId}`)
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(dir, 'secret'), json('secret\n'))
    symlinkSync(join(dir, 'secret'), join(directory, `${containerId}-json.log`))
    symlinkSync(join(directory, `${containerId}-json.log`), path)
    await expect(lastLines(path, 1)).rejects.toThrow(/ELOOP/)
  })

  test('a directory in its place that is a link is not followed', async ({ dir, path }) => {
    const target = join(dir, `docker/containers/${containerId}/${containerId}-json.log`)
    mkdirSync(join(dir, 'docker/containers'), { recursive: true })
    mkdirSync(join(dir, 'elsewhere'))
    writeFileSync(join(dir, `elsewhere/${containerId}-json.log`), json('secret\n'))
    symlinkSync(join(dir, 'elsewhere'), dirname(target))
    symlinkSync(target, path)
    await expect(lastLines(path, 1)).rejects.toThrow(/leads elsewhere/)
  })

  test('keeps a line that is no record', async ({ dir, path }) => {
    const target = join(dir, `docker/containers/${containerId}/${containerId}-json.log`)
    linkTo(target, path, `{"log": 1}\n{"lo\n${json('end\n')}`)
    expect(await lastLines(path, 5)).toBe('{"log": 1}\n{"lo\nend\n')
  })
})
