import { join } from 'node:path'
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { expect } from 'vitest'
import { mixedContent } from '@core-dump-handler/testing/content'
import { enginesHere } from '@core-dump-handler/testing/engines'
import { Random } from '@core-dump-handler/testing/random'
import { readersHere } from '@core-dump-handler/testing/readers'
import { test } from '@core-dump-handler/testing/scratch'
import { createPartFile, drain, ZipWriter, type DrainOptions, type ZipSink } from '../index.ts'

const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? 40)
const SEED = Number(process.env['FUZZ_SEED'] ?? 1)
// a zstd frame that ended where bsdtar had stopped reading; a slow sink that was not awaited
const FAILED_ONCE = [1014, 1094]
const ENGINES = enginesHere()
const SEEDS = [...FAILED_ONCE, ...Array.from({ length: ROUNDS }, (_, i) => SEED + i)]

/** The same file as an asynchronous sink: blocks wait for it, and for each other. */
function slow(sink: ZipSink): ZipSink {
  return {
    ...sink,
    write: (chunks) =>
      new Promise((resolve) => {
        setImmediate(() => resolve(sink.write(chunks)))
      }),
  }
}

function optionsOf(random: Random): Omit<DrainOptions, 'entryName'> {
  return {
    mode: random.pick(['deflate', 'deflate', 'store', 'adaptive', 'adaptive', 'zstd']),
    level: random.pick([1, 1, 6]),
    lanes: random.pick([1, 2, 3, 5]),
    blockBytes: random.pick([16_384, 65_536, 131_072, 262_144]),
    holdBudgetMs: random.pick([0, 0, 3]),
  }
}

test(`${SEEDS.length} seeded mixtures of memory are read back by two readers`, async ({ dir }) => {
  const readers = readersHere().filter(({ name }) => /unzip|bsdtar|7z/.test(name))
  for (const seed of SEEDS) {
    const random = new Random(seed)
    const content = mixedContent(random, random.below(4_000_000))
    const options = { ...optionsOf(random), engine: ENGINES[seed % ENGINES.length] ?? 'zlib' }
    const chunk = random.pick([1000, 65_536, 500_000])
    const chunks = Array.from({ length: Math.ceil(content.length / chunk) }, (_, i) =>
      content.subarray(i * chunk, (i + 1) * chunk),
    )
    const path = join(dir, `${seed}.zip`)
    await using file = await createPartFile(path)
    const sink: ZipSink = {
      write: (bytes) => file.write(bytes),
      patch: (bytes, position) => file.patch(bytes, position),
    }
    const zip = new ZipWriter(random.below(3) === 0 ? slow(sink) : sink)
    const source = Readable.from(chunks)
    const result = await drain(source, zip, { entryName: 'x.core', ...options })
    await zip.finish()
    await file.publish()

    const told = `seed ${seed}, ${JSON.stringify(options)}`
    expect(result.crc32, told).toBe(crc32(content))
    const able = readers.filter(({ zstd }) => zstd || options.mode !== 'zstd')
    for (const reader of able.slice(0, 2)) {
      expect(content.equals(await reader.extract(path, 'x.core')), `${reader.name}, ${told}`).toBe(
        true,
      )
    }
  }
}, 600_000)
