import { closeSync, existsSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect } from 'vitest'
import { mixedContent } from '../../testing/content.ts'
import { exited, isOpen, pipeFrom } from '../../testing/pipe.ts'
import { Random } from '../../testing/random.ts'
import { readersHere } from '../../testing/readers.ts'
import { test } from '../../testing/scratch.ts'
import { smallDisk } from '../../testing/small-disk.ts'
import { createPartFile, drain, ZipWriter, type PartFile, type ZipSink } from '../index.ts'

const CONTENT = mixedContent(new Random(7), 6_000_000)
const ENTRIES = { 'a.json': '{"first":1}', 'b.log': 'last words\n'.repeat(50) }

/** A file whose k-th write or patch fails, as a disk does. */
function failingAt(file: PartFile, k: number): { sink: ZipSink; calls: () => number } {
  let calls = 0
  const counted = <A extends unknown[]>(call: (...args: A) => void) => {
    return (...args: A): void => {
      if (++calls === k) throw Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' })
      call(...args)
    }
  }
  const sink = {
    write: counted((chunks: readonly Uint8Array[]) => file.write(chunks)),
    patch: counted((bytes: Uint8Array, position: number) => file.patch(bytes, position)),
    truncate: (length: number) => file.truncate(length),
  }
  return { sink, calls: () => calls }
}

/** Writes a bundle as a composer does: what fails costs its own entry. Returns the entries that are there. */
async function bundle(sink: ZipSink): Promise<string[]> {
  const zip = new ZipWriter(sink)
  const kept: string[] = []
  const attempt = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    await work().then(
      () => kept.push(name),
      () => {},
    )
  }
  await attempt('a.json', () => zip.add('a.json', ENTRIES['a.json']))
  await attempt('x.core', () => drain(Readable.from([CONTENT]), zip, { entryName: 'x.core' }))
  await attempt('b.log', () => zip.add('b.log', ENTRIES['b.log']))
  await zip.finish()
  return kept
}

test('whichever write fails, no entry holds the bytes of another', async ({ dir }) => {
  const readers = readersHere().filter(({ name }) => /jszip|bsdtar/.test(name))
  // how many writes there are depends on how the lanes run: until there is no k-th one
  for (let k = 1; ; k++) {
    const path = join(dir, `${k}.zip`)
    await using file = createPartFile(path)
    const { sink, calls } = failingAt(file, k)
    const kept = await bundle(sink).catch((error: unknown) => {
      expect(error, `write ${k}`).toMatchObject({ code: 'IO', subject: 'central directory' })
      return undefined
    })
    if (kept === undefined) continue
    if (calls() < k) {
      expect(k).toBeGreaterThan(10)
      expect(kept).toHaveLength(3)
      break
    }
    await file.publish()
    expect(kept, `write ${k}`).toHaveLength(2)
    for (const reader of readers) {
      await reader.test(path)
      for (const name of kept) {
        const wanted = name === 'x.core' ? CONTENT : Buffer.from(ENTRIES[name as 'a.json'])
        expect(wanted.equals(await reader.extract(path, name)), `${k} ${name}`).toBe(true)
      }
    }
  }
}, 60_000)

describe('a disk that is full', () => {
  test('frees the process at once and leaves nothing under the final name', async ({ dir }) => {
    await using disk = smallDisk(dir, 3)
    if (disk === undefined) return
    const path = join(disk.path, 'a.zip')
    const file = createPartFile(path)
    const zip = new ZipWriter(file)
    const { fd, writer } = pipeFrom(dir, 'cat /dev/urandom')
    const failure = drain(fd, zip, { entryName: 'x.core' })
    await expect(failure).rejects.toMatchObject({
      name: 'IngestError',
      code: 'NO_SPACE',
      subject: 'x.core',
    })
    expect(isOpen(fd)).toBe(false)
    await exited(writer)

    // what the core took is free again: the record of it has room
    await zip.add('record.json', '{"core":"no space"}')
    await zip.finish()
    expect(existsSync(path)).toBe(false)
    await file.publish()
    for (const reader of readersHere()) await reader.test(path)
    expect(readdirSync(disk.path)).toEqual(['a.zip'])
  })
})

test('a stream that takes no more fails the drain and closes the source', async ({ dir }) => {
  let written = 0
  const zip = new ZipWriter({
    write: async (chunks) => {
      for (const chunk of chunks) written += chunk.length
      if (written > 1_000_000) throw new Error('the store hung up')
    },
  })
  const { fd, writer } = pipeFrom(dir, 'cat /dev/urandom')
  await expect(drain(fd, zip, { entryName: 'x.core' })).rejects.toThrow(/the store hung up/)
  await exited(writer)
  await expect(zip.finish()).rejects.toMatchObject({ code: expect.stringMatching(/MISUSE|FAILED/) })
})

async function* endless(): AsyncGenerator<Uint8Array> {
  const chunk = Buffer.alloc(100_000, 'core dump ')
  for (;;) yield chunk
}

test.for(['generator', 'file'])(
  'a %s that is being read when a slow disk fails is let go',
  async (kind, { dir }) => {
    let writes = 0
    const zip = new ZipWriter({
      write: async () => {
        await sleep(20)
        if (++writes > 3) throw new Error('EIO: the disk is gone')
      },
    })
    const source = kind === 'file' ? openSync('/dev/urandom', 'r') : endless()
    const options = { entryName: 'x.core', mode: 'store', lanes: 1 } as const
    await expect(drain(source, zip, options)).rejects.toThrow(/the disk is gone/)
    if (typeof source === 'number') expect(isOpen(source)).toBe(false)
    expect(readdirSync(dir)).toEqual([])
  },
)

function failing(): never {
  throw new RangeError('no such column')
}

test('a callback that throws fails the drain, the archive goes on without the entry', async ({
  dir,
}) => {
  const path = join(dir, 'a.zip')
  await using file = createPartFile(path)
  const zip = new ZipWriter(file)
  const { fd, writer } = pipeFrom(dir, 'cat /dev/zero')
  await expect(drain(fd, zip, { entryName: 'x.core', onProgress: failing })).rejects.toThrow(
    'no such column',
  )
  await exited(writer)
  await zip.add('b', 'c')
  await zip.finish()
  await file.publish()
  for (const reader of readersHere()) await reader.test(path)
})

test('an archive whose disk is closed refuses the first byte, and the source is freed', async ({
  dir,
}) => {
  const file = createPartFile(join(dir, 'a.zip'))
  await file.discard()
  const { fd, writer } = pipeFrom(dir, 'cat /dev/zero')
  await expect(drain(fd, new ZipWriter(file), { entryName: 'x' })).rejects.toThrow(/it is closed/)
  await exited(writer)
  // the number is free again
  const other = openSync(join(dir, 'other'), 'w')
  writeSync(other, 'x')
  closeSync(other)
})
