import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readlinkSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { describe, expect } from 'vitest'
import { mixedContent } from '@core-dump-handler/testing/content'
import { coreImage } from '@core-dump-handler/testing/core-image'
import { compressionsHere } from '@core-dump-handler/testing/engines'
import { exited, isOpen, pipeFrom } from '@core-dump-handler/testing/pipe'
import { Random } from '@core-dump-handler/testing/random'
import { readersHere } from '@core-dump-handler/testing/readers'
import { test } from '@core-dump-handler/testing/scratch'
import { createPartFile, drain, ZipWriter } from '../index.ts'
import type { DrainMode, DrainOptions, DrainResult, DrainSource } from '../index.ts'

const CORE = coreImage({ bits: 64, byteOrder: 'little', segments: [2048, 300_000, 5_000_000] })

/** Drains into an archive of its own, published at `path`. */
async function drainTo(
  path: string,
  source: DrainSource,
  options: Partial<DrainOptions> = {},
): Promise<DrainResult> {
  await using file = await createPartFile(path)
  const zip = new ZipWriter(file)
  await zip.add('before.json', '{}')
  const result = await drain(source, zip, { entryName: 'x.core', ...options })
  await zip.add('after.json', JSON.stringify(result))
  await zip.finish()
  await file.publish()
  return result
}

async function expectEntry(
  path: string,
  content: Buffer,
  mode: DrainMode,
  readers: RegExp = /./,
): Promise<void> {
  const able = readersHere().filter(({ zstd }) => zstd || mode !== 'zstd')
  for (const reader of able.filter(({ name }) => readers.test(name))) {
    await reader.test(path)
    expect(content.equals(await reader.extract(path, 'x.core')), reader.name).toBe(true)
  }
}

describe.for(compressionsHere())('in mode $mode with $engine', ({ mode, engine }) => {
  test('every reader extracts the core that was written into a pipe', async ({ dir }) => {
    const content = Buffer.concat([CORE, mixedContent(new Random(1), 3_000_001)])
    await writeFile(join(dir, 'core'), content)
    const { fd } = pipeFrom(dir, `cat ${join(dir, 'core')}`)
    const path = join(dir, 'a.zip')
    const result = await drainTo(path, fd, { mode, engine })
    expect(result).toMatchObject({
      bytes: content.length,
      crc32: crc32(content),
      method: mode === 'zstd' ? 'zstd' : 'deflate',
      mode,
      ...(mode !== 'zstd' && { engine }),
      elf: { isElf: true, isCore: true, bits: 64, byteOrder: 'little', expectedBytes: CORE.length },
      complete: true,
    })
    const { zeroBytes, storedBytes, compressedBytes } = result.treated
    expect(zeroBytes + storedBytes + compressedBytes).toBe(content.length)
    expect(zeroBytes).toBeGreaterThan(0)
    await expectEntry(path, content, mode)
  })

  test.for([0, 1, 4095, 4096, 4097, 131_072, 131_073])('%i bytes', async (length, { dir }) => {
    const content = mixedContent(new Random(length), length)
    const path = join(dir, 'a.zip')
    const result = await drainTo(path, Readable.from([content]), { mode, engine })
    expect(result).toMatchObject({ bytes: length, crc32: crc32(content), complete: length > 0 })
    await expectEntry(path, content, mode, /unzip|bsdtar/)
  })
})

describe('reads', () => {
  test('a regular file, from its position', async ({ dir }) => {
    await writeFile(join(dir, 'core'), CORE)
    const fd = openSync(join(dir, 'core'), 'r')
    const path = join(dir, 'a.zip')
    expect(await drainTo(path, fd)).toMatchObject({ bytes: CORE.length, complete: true })
    expect(isOpen(fd)).toBe(false)
    await expectEntry(path, CORE, 'deflate')
  })

  test('an async generator of odd chunks', async ({ dir }) => {
    async function* chunks(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < CORE.length; at += 70_001) yield CORE.subarray(at, at + 70_001)
    }
    const path = join(dir, 'a.zip')
    expect(await drainTo(path, chunks())).toMatchObject({ complete: true })
    await expectEntry(path, CORE, 'deflate')
  })

  test('a file that is not ELF, and reports that', async ({ dir }) => {
    const result = await drainTo(join(dir, 'a.zip'), Readable.from([Buffer.from('hello')]))
    expect(result).toMatchObject({ elf: { isElf: false }, complete: true, bytes: 5 })
  })
})

describe('keeps and marks a source that ends early', () => {
  test('because its writer was killed', async ({ dir }) => {
    await writeFile(join(dir, 'core'), CORE)
    const { fd } = pipeFrom(dir, `head -c 1000000 ${join(dir, 'core')}`)
    const path = join(dir, 'a.zip')
    const result = await drainTo(path, fd)
    expect(result).toMatchObject({ complete: false, cut: 'truncated', bytes: 1_000_000 })
    expect(result.reason).toBe(
      `The source ended after 1000000 bytes of the ${CORE.length} its ELF headers promise: ` +
        'its writer was stopped, as by SIGKILL',
    )
    await expectEntry(path, CORE.subarray(0, 1_000_000), 'deflate')
  })

  test('because a signal ended a pipe that stalls', async ({ dir }) => {
    const { fd, writer } = pipeFrom(dir, 'head -c 500000 /dev/zero; exec sleep 60')
    const path = join(dir, 'a.zip')
    const signal = AbortSignal.timeout(200)
    const result = await drainTo(path, fd, { signal })
    writer.kill()
    expect(result).toMatchObject({ complete: false, cut: 'aborted', bytes: 500_000 })
    expect(result.reason).toMatch(/^Stopped after 500000 bytes: .*timeout/)
    expect(result.heldMs).toBeGreaterThan(150)
    expect(isOpen(fd)).toBe(false)
    await expectEntry(path, Buffer.alloc(500_000), 'deflate')
  })

  test('because a signal ended an endless pipe', async ({ dir }) => {
    const { fd, writer } = pipeFrom(dir, 'cat /dev/zero')
    const path = join(dir, 'a.zip')
    const result = await drainTo(path, fd, { signal: AbortSignal.timeout(100) })
    expect(result).toMatchObject({ complete: false, cut: 'aborted' })
    // its writer gets SIGPIPE: the read end is closed
    await exited(writer)
    await readersHere()[1]?.test(path)
  })

  test('because the signal was aborted before the start', async ({ dir }) => {
    const { fd, writer } = pipeFrom(dir, 'cat /dev/zero')
    const signal = AbortSignal.abort(new Error('SIGTERM'))
    const result = await drainTo(join(dir, 'a.zip'), fd, { signal })
    expect(result).toMatchObject({ complete: false, cut: 'aborted', bytes: 0 })
    expect(result.reason).toBe('Stopped after 0 bytes: SIGTERM')
    await exited(writer)
  })

  test.for([1, 100_000, 131_072, 1_000_000])(
    'more than %i bytes, with that limit; the rest is not read',
    async (maxBytes, { dir }) => {
      const { fd, writer } = pipeFrom(dir, "yes 'core dump'")
      const path = join(dir, 'a.zip')
      const result = await drainTo(path, fd, { maxBytes })
      expect(result).toMatchObject({ complete: false, cut: 'limit', bytes: maxBytes })
      expect(isOpen(fd)).toBe(false)
      await exited(writer)
      await expectEntry(path, Buffer.alloc(maxBytes, 'core dump\n'), 'deflate', /unzip/)
    },
  )

  test('not when it has exactly as many bytes as the limit', async ({ dir }) => {
    const { fd } = pipeFrom(dir, 'head -c 131072 /dev/zero')
    const result = await drainTo(join(dir, 'a.zip'), fd, { maxBytes: 131_072 })
    expect(result).toMatchObject({ complete: true, bytes: 131_072 })
  })

  test('because the source fails', async ({ dir }) => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield CORE.subarray(0, 200_000)
      throw new Error('EIO: i/o error')
    }
    const path = join(dir, 'a.zip')
    const result = await drainTo(path, failing())
    expect(result).toMatchObject({ complete: false, cut: 'read-error', bytes: 200_000 })
    expect(result.reason).toMatch(/Reading failed after 200000 bytes .*EIO/)
    await expectEntry(path, CORE.subarray(0, 200_000), 'deflate')
  })

  test('because it is empty', async ({ dir }) => {
    const { fd } = pipeFrom(dir, 'true')
    const result = await drainTo(join(dir, 'a.zip'), fd)
    expect(result).toMatchObject({ complete: false, cut: 'empty', bytes: 0 })
  })
})

test('closes the source at the end of the pipe, not at the end of the work', async ({ dir }) => {
  const { fd } = pipeFrom(dir, 'head -c 20000000 /dev/urandom')
  let openAtRelease: boolean | undefined
  const result = await drainTo(join(dir, 'a.zip'), fd, {
    onRelease: () => {
      openAtRelease = isOpen(fd)
    },
  })
  expect(openAtRelease).toBe(false)
  expect(result.treated.storedBytes).toBe(20_000_000)
})

test('lets no child inherit the pipe [B20]', async ({ dir }) => {
  const { fd, writer } = pipeFrom(dir, 'head -c 100000 /dev/zero; exec sleep 60')
  const pipe = readlinkSync(`/proc/self/fd/${fd}`)
  const draining = drainTo(join(dir, 'a.zip'), fd, { signal: AbortSignal.timeout(500) })
  await sleep(50)
  const child = spawn('sh', ['-c', 'readlink /proc/$$/fd/*'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const open = await text(child.stdout)
  writer.kill()
  await draining
  expect(open).toContain('/dev/null')
  expect(open).not.toContain(pipe)
})

test('closes standard input, and its number is not given to another file', async ({ dir }) => {
  const program = `
    import { createPartFile, drain, ZipWriter } from ${JSON.stringify(join(import.meta.dirname, '../index.ts'))}
    import { readlinkSync } from 'node:fs'
    const file = await createPartFile(${JSON.stringify(join(dir, 'a.zip'))})
    const zip = new ZipWriter(file)
    const onRelease = () => console.log(readlinkSync('/proc/self/fd/0'))
    const { bytes } = await drain(0, zip, { entryName: 'x.core', onRelease })
    await zip.finish()
    await file.publish()
    console.log(bytes)`
  const child = spawn(
    'sh',
    [
      '-c',
      'head -c 300000 /dev/zero | "$0" "$@"',
      process.execPath,
      '--input-type=module',
      '-e',
      program,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  expect(await text(child.stdout)).toBe('/dev/null\n300000\n')
  await expectEntry(join(dir, 'a.zip'), Buffer.alloc(300_000), 'deflate')
})

test('reports progress', async ({ dir }) => {
  const seen: number[] = []
  const { fd } = pipeFrom(dir, `cat ${process.execPath}`)
  await drainTo(join(dir, 'a.zip'), fd, {
    onProgress: ({ bytes, expectedBytes }) => {
      expect(expectedBytes).toBeGreaterThan(1_000_000)
      seen.push(bytes)
    },
  })
  expect(seen.length).toBeGreaterThan(0)
  expect(seen).toEqual(seen.toSorted((a, b) => a - b))
})

describe('rejects before the source is touched', () => {
  test.for<[Partial<DrainOptions>, string]>([
    // @ts-expect-error -- as a caller in JavaScript can pass it
    [{ mode: 'lzma' }, 'INVALID_OPTION'],
    // @ts-expect-error -- as a caller in JavaScript can pass it
    [{ engine: 'igzip' }, 'INVALID_OPTION'],
    [{ level: 0 }, 'INVALID_OPTION'],
    [{ level: 10 }, 'INVALID_OPTION'],
    [{ lanes: 0 }, 'INVALID_OPTION'],
    [{ maxBytes: -1 }, 'INVALID_OPTION'],
    [{ maxBytes: Number.NaN }, 'INVALID_OPTION'],
    [{ holdBudgetMs: -1 }, 'INVALID_OPTION'],
    [{ blockBytes: 100_000 }, 'INVALID_OPTION'],
    [{ entryName: '../x' }, 'INVALID_NAME'],
    [{ entryName: 'before.json' }, 'DUPLICATE_NAME'],
  ])('%j', async ([options, code], { dir }) => {
    const { fd } = pipeFrom(dir, 'echo')
    await expect(drainTo(join(dir, 'a.zip'), fd, options)).rejects.toMatchObject({ code })
    expect(isOpen(fd)).toBe(true)
    closeSync(fd)
    expect(await readdir(dir)).toEqual([expect.stringMatching(/^fifo/)])
  })

  test.for([12_345, -1])('the file descriptor %i', async (fd, { dir }) => {
    await expect(drainTo(join(dir, 'a.zip'), fd)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      subject: 'source',
    })
  })

  test('a directory, and a value that is not a source', async ({ dir }) => {
    mkdirSync(join(dir, 'd'))
    const fd = openSync(join(dir, 'd'), 'r')
    await expect(drainTo(join(dir, 'a.zip'), fd)).rejects.toThrow(/it is a directory|to be an open/)
    closeSync(fd)
    // @ts-expect-error -- as a caller in JavaScript can pass it
    await expect(drainTo(join(dir, 'a.zip'), { length: 0 })).rejects.toMatchObject({
      subject: 'source',
    })
    expect(await readFile(join(dir, 'a.zip')).catch(() => 'absent')).toBe('absent')
  })
})
