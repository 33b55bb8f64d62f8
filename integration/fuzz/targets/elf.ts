import { createReadStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import { drain, ZipWriter, type DrainOptions } from '@core-dump-handler/ingest'
import { enginesHere } from '@core-dump-handler/testing/engines'
import JSZip from 'jszip'
import type { Random } from '../generate/random.ts'
import { MemorySink } from '../support/memory-sink.ts'
import { promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'
import { coreOf } from './elf-image.ts'

const ENGINES = enginesHere()

export const elf: Target = {
  name: 'elf',
  what: 'drain, with cores whose headers lie',
  begin() {
    return {
      async round(random, directory) {
        const core = coreOf(random)
        const sink = new MemorySink()
        const zip = new ZipWriter(sink)
        const options = optionsOf(random)
        const result = await drain(source(random, core, directory), zip, {
          entryName: 'x.core',
          ...options,
        })
        await zip.finish()

        const kept = core.subarray(0, Math.min(core.length, options.maxBytes ?? Infinity))
        promised(result.bytes === kept.length, () => `${result.bytes} of ${kept.length} bytes`)
        promised(result.crc32 === crc32(kept), () => 'another checksum')
        const { expectedBytes } = result.elf
        promised(
          expectedBytes === undefined || (Number.isSafeInteger(expectedBytes) && expectedBytes > 0),
          () => `expects ${expectedBytes} bytes`,
        )
        const whole = core.length > 0 && core.length >= (expectedBytes ?? 0)
        promised(
          result.complete === (whole && kept.length === core.length),
          () => `complete: ${result.complete}, ${result.reason}`,
        )
        if (options.mode === 'zstd') return
        const entry = (await JSZip.loadAsync(sink.bytes())).file('x.core')
        promised((await entry?.async('nodebuffer'))?.equals(kept) === true, () => 'other bytes')
      },
    }
  },
}

function optionsOf(random: Random): Partial<DrainOptions> {
  return {
    mode: random.pick(['deflate', 'store', 'adaptive', 'zstd']),
    engine: random.pick(ENGINES),
    lanes: random.pick([1, 2, 4]),
    blockBytes: random.pick([16_384, 65_536, 131_072]),
    ...(random.once(4) && { maxBytes: random.below(5000) + 1 }),
  }
}

/** In chunks of any size, or as a file is read. */
function source(random: Random, core: Buffer, directory: string): Readable {
  if (random.once(4)) {
    const path = join(directory, 'core')
    writeFileSync(path, core)
    return createReadStream(path, { highWaterMark: 1 + random.below(5000) })
  }
  const chunks: Buffer[] = []
  for (let at = 0; at < core.length;) {
    const size = 1 + random.below(random.pick([1, 7, 64, 5000]))
    chunks.push(core.subarray(at, at + size))
    at += size
  }
  return Readable.from(chunks)
}
