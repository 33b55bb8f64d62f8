import { randomBytes } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect } from 'vitest'
import { mixedContent } from '@core-dump-handler/testing/content'
import { enginesHere } from '@core-dump-handler/testing/engines'
import { exited, pipeFrom } from '@core-dump-handler/testing/pipe'
import { Random } from '@core-dump-handler/testing/random'
import { readersHere } from '@core-dump-handler/testing/readers'
import { test } from '@core-dump-handler/testing/scratch'
import {
  createPartFile,
  drain,
  type DrainOptions,
  type DrainResult,
  type DrainSource,
  ZipWriter,
} from '../../index.ts'

import { loadKoffi } from './koffi.ts'

const withIsal = enginesHere().includes('isal')

async function drained(
  path: string,
  source: DrainSource,
  options: Partial<DrainOptions> = {},
): Promise<DrainResult> {
  await using file = await createPartFile(path)
  const zip = new ZipWriter(file)
  const result = await drain(source, zip, { entryName: 'x.core', ...options })
  await zip.finish()
  await file.publish()
  return result
}

async function expectCore(path: string, content: Buffer): Promise<void> {
  for (const reader of readersHere()) {
    await reader.test(path)
    expect(content.equals(await reader.extract(path, 'x.core')), reader.name).toBe(true)
  }
}

describe.skipIf(!withIsal)('the engine auto', () => {
  test.for<[string, number, Partial<DrainOptions>, object]>([
    ['is ISA-L for a large core', 8_000_000, {}, { engine: 'isal', mode: 'deflate' }],
    ['is zlib for a core that is read ahead', 60_000, {}, { engine: 'zlib', mode: 'deflate' }],
    ['is zlib at higher levels', 8_000_000, { level: 6 }, { engine: 'zlib', mode: 'deflate' }],
    ['makes the mode auto deflate', 8_000_000, { mode: 'auto' }, { mode: 'deflate' }],
    [
      'leaves the mode auto adaptive for zlib',
      8_000_000,
      { mode: 'auto', engine: 'zlib' },
      { engine: 'zlib', mode: 'adaptive' },
    ],
  ])('%s', async ([, bytes, options, expected], { dir }) => {
    const content = mixedContent(new Random(bytes), bytes)
    await writeFile(join(dir, 'core'), content)
    const { fd, writer } = pipeFrom(dir, `cat ${join(dir, 'core')}`)
    // what the pipe holds is read at once, also on a busy machine
    if (bytes < 65_536) await exited(writer)
    const path = join(dir, 'a.zip')
    expect(await drained(path, fd, options)).toMatchObject(expected)
    await expectCore(path, content)
  })
})

test.skipIf(!withIsal)('gives the pipe of a large core more room', async ({ dir }) => {
  const { fd } = pipeFrom(dir, 'head -c 8000000 /dev/urandom')
  const pipe = openSync(`/proc/self/fd/${fd}`, 'r')
  await drained(join(dir, 'a.zip'), fd)
  // F_GETPIPE_SZ
  const bytes = loadKoffi(undefined).load(null).func('int fcntl(int, int, int)')(pipe, 1032, 0)
  closeSync(pipe)
  expect(bytes).toBe(262_144)
})

describe.for(enginesHere())('the engine %s', (engine) => {
  test.for([1, 2, 3, 9])('compresses at level %i', async (level, { dir }) => {
    const content = Buffer.from(mixedContent(new Random(level), 2_000_000))
    const path = join(dir, 'a.zip')
    const result = await drained(path, Readable.from([content]), { engine, level })
    expect(result).toMatchObject({ engine, complete: true })
    expect(result.storedBytes).toBeLessThan(content.length * 0.9)
    await expectCore(path, content)
  })

  test('never needs more room than stored data, also where samples look compressible', async ({
    dir,
  }) => {
    const content = randomBytes(4_000_000)
    // where `splitIncompressible` looks
    for (let at = 0; at < content.length; at += 8192) content.fill('text', at, at + 128)
    const path = join(dir, 'a.zip')
    const result = await drained(path, Readable.from([content]), { engine })
    expect(result.storedBytes).toBeLessThan(content.length * 1.001)
    await expectCore(path, content)
  })
})

test('falls back to zlib where koffi cannot be loaded, and says why', async ({ dir }) => {
  const content = mixedContent(new Random(1), 3_000_000)
  const path = join(dir, 'a.zip')
  const options = { engine: 'isal', mode: 'auto', koffiPath: join(dir, 'koffi.node') } as const
  expect(await drained(path, Readable.from([content]), options)).toMatchObject({
    engine: 'zlib',
    engineFailure: expect.stringContaining('koffi.node'),
    mode: 'adaptive',
    complete: true,
  })
  await expectCore(path, content)
})
