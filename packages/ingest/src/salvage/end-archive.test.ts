import { createPartFile, drain, endArchive, salvageZip, ZipWriter } from '../index.ts'
import type { DrainMode, OpenArchive, PartFile, SalvageAddition, ZipSink } from '../index.ts'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect } from 'vitest'
import { mixedContent } from '../../testing/content.ts'
import { Random } from '../../testing/random.ts'
import { readersHere } from '../../testing/readers.ts'
import { test } from '../../testing/scratch.ts'

const STORY: SalvageAddition[] = [['x-manifest.json', '{"schema":"test"}']]
const MODES: DrainMode[] = ['deflate', 'store', 'adaptive', 'zstd']
const CORE = mixedContent(new Random(7), 3_000_000)

/** Bytes of a stream, and where it could be ended. */
class Stream implements ZipSink {
  readonly boundaries: OpenArchive[] = []
  bytes: Buffer = Buffer.alloc(0)

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    this.bytes = Buffer.concat([this.bytes, ...chunks])
  }

  boundary(archive: OpenArchive): void {
    this.boundaries.push(JSON.parse(JSON.stringify(archive)) as OpenArchive)
  }
}

/** A stream that goes on in a file, from what it has kept of its beginning. */
class BecomesFile implements ZipSink {
  readonly #part: PartFile
  #kept: Buffer | undefined = Buffer.alloc(0)

  constructor(part: PartFile) {
    this.#part = part
  }

  get patch(): ZipSink['patch'] {
    if (this.#kept !== undefined) return undefined
    return (bytes, position) => this.#part.patch(bytes, position)
  }

  write(chunks: readonly Uint8Array[]): void {
    if (this.#kept === undefined) return this.#part.write(chunks)
    this.#kept = Buffer.concat([this.#kept, ...chunks])
    if (this.#kept.length < 100_000) return
    this.#part.write([this.#kept])
    this.#kept = undefined
  }
}

async function writeInto(sink: ZipSink, mode: DrainMode): Promise<ZipWriter> {
  const zip = new ZipWriter(sink)
  await zip.add('x-dump-info.json', '{"uuid":"u"}')
  const chunks = Array.from({ length: 46 }, (_, i) => CORE.subarray(i * 65_536, (i + 1) * 65_536))
  await drain(Readable.from(chunks), zip, { entryName: 'x.core', mode })
  return zip
}

async function readEverywhere(path: string, mode: DrainMode, core: Buffer): Promise<void> {
  for (const reader of readersHere().filter(({ zstd }) => mode !== 'zstd' || zstd)) {
    await reader.test(path)
    expect(core.equals(await reader.extract(path, 'x.core')), reader.name).toBe(true)
    expect(String(await reader.extract(path, 'x-manifest.json'))).toBe(STORY[0]?.[1])
  }
}

test.for(MODES)(
  'a stream whose writer died is ended where its data is sound, mode %s',
  async (mode, { dir }) => {
    const stream = new Stream()
    await writeInto(stream, mode)
    const { boundaries } = stream
    expect(boundaries.length).toBeGreaterThanOrEqual(4)
    for (const at of [0, 1, Math.floor(boundaries.length / 2), boundaries.length - 1]) {
      const archive = boundaries[at]
      if (archive === undefined) throw new Error('no boundary')
      const path = join(dir, `${at}.zip`)
      await writeFile(path, [
        stream.bytes.subarray(0, archive.position),
        await endArchive(archive, STORY),
      ])
      const entries = [...archive.entries, ...(archive.open ? [archive.open] : [])]
      const core = entries.find(({ name }) => name === 'x.core')
      if (core !== undefined) await readEverywhere(path, mode, CORE.subarray(0, core.bytes))
      else for (const reader of readersHere()) await reader.test(path)
    }
    expect(boundaries.at(-1)?.entries.map(({ bytes }) => bytes)).toEqual([12, CORE.length])
  },
)

test('a stream that becomes a file in mid-entry has its header completed like any file', async ({
  dir,
}) => {
  const part = createPartFile(join(dir, 'x.zip'))
  const zip = await writeInto(new BecomesFile(part), 'deflate')
  await zip.add(...(STORY[0] as [string, string]))
  await zip.finish()
  await part.publish()
  await readEverywhere(part.finalPath, 'deflate', CORE)
  const archive = await readFile(part.finalPath)
  const headerAt = archive.indexOf('x.core') - 30
  expect(archive.readUInt16LE(headerAt + 6) & 8, 'no data descriptor').toBe(0)
})

test.for(MODES)(
  'of one whose writer was killed then, the beginning is salvaged, mode %s',
  async (mode, { dir }) => {
    const part = createPartFile(join(dir, 'x.zip'))
    await writeInto(new BecomesFile(part), mode)
    const whole = await readFile(part.path)
    await part.close()
    // as it was on the way: the header not completed, the end missing
    const stream = new Stream()
    await writeInto(stream, mode)
    const cut = Math.floor(whole.length * 0.8)
    await writeFile(part.path, stream.bytes.subarray(0, cut))

    const { outcome, entries } = await salvageZip(part.path, {
      finalPath: part.finalPath,
      addEntries: () => STORY,
    })

    expect(outcome).toBe('closed')
    const bytes = entries.find(({ name }) => name === 'x.core')?.bytes ?? 0
    expect(bytes).toBeGreaterThan(CORE.length / 2)
    await readEverywhere(part.finalPath, mode, CORE.subarray(0, bytes))
  },
)
