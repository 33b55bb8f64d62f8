import { lstatSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { drain, isIngestError, ZipWriter } from '@core-dump-handler/ingest'
import { enginesHere } from '@core-dump-handler/testing/engines'
import JSZip from 'jszip'
import { salvagePart } from '@core-dump-handler/agent/internal/salvage/salvage-part'
import { distort } from '../generate/json.ts'
import { mutate } from '../generate/mutate.ts'
import type { Random } from '../generate/random.ts'
import { text } from '../generate/text.ts'
import { checkBundle } from '../support/bundle.ts'
import { MemorySink } from '../support/memory-sink.ts'
import { promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'
import { imageOf } from './elf-image.ts'

const ENGINES = enginesHere()
const PART = '.x.zip.part'
const FORGED = 'forged-owner'
const ENTRIES = /^x(-dump-info\.json|\.core|-0\.log|-manifest\.json)$/
const DUMP_INFO = {
  uuid: '3d2c1b0a-1111-4222-8333-444455556666',
  dump_file: 'x.core',
  timestamp: '1700000000',
  hostname: 'web-1',
  exe: 'web',
  real_pid: '1',
  signal: '11',
  node_hostname: 'node-1',
  path: '!usr!bin!web',
}

export const salvage: Target = {
  name: 'salvage',
  what: 'what dead composers leave, with archives hidden in the core',
  begin() {
    return {
      async round(random, directory) {
        const whole = await leftOver(random)
        const cut = whole.subarray(0, random.below(whole.length + 1))
        const damaged = random.once(3)
        const path = join(directory, PART)
        writeFileSync(path, damaged ? mutate(random, cut) : cut, { mode: 0o600 })
        writeFileSync(join(directory, 'x.zip'), 'of another crash')
        try {
          await salvagePart(directory, PART, lstatSync(path, { bigint: true }), {
            nodeName: 'node-1',
            signal: new AbortController().signal,
            onProgress: () => Promise.resolve(),
          })
        } catch (error) {
          if (!isIngestError(error)) throw error
        }
        const names = readdirSync(directory).toSorted().join()
        promised(['x-2.zip,x.zip', `${PART},x.zip`].includes(names), () => `there is ${names}`)
        promised(
          String(readFileSync(join(directory, 'x.zip'))) === 'of another crash',
          () => 'lost',
        )
        const bundle = join(directory, 'x-2.zip')
        if (names.startsWith(PART)) promised(damaged, () => 'what was only cut was not salvaged')
        else if (damaged) await JSZip.loadAsync(readFileSync(bundle))
        else await assertOwn(bundle)
      },
    }
  },
}

/** Nothing in the core was taken for an entry. */
async function assertOwn(bundle: string): Promise<void> {
  const { files } = await JSZip.loadAsync(readFileSync(bundle), { checkCRC32: true })
  const strange = Object.keys(files).filter((name) => !ENTRIES.test(name))
  promised(strange.length === 0, () => `entries: ${strange.join()}`)
  const manifest = (await files['x-manifest.json']?.async('string')) ?? ''
  promised(manifest !== '' && !manifest.includes(FORGED), () => `a forged manifest: ${manifest}`)
  if (manifest.includes('COMPOSER_DIED')) await checkBundle(bundle, undefined, 'x')
}

/** All that a composer writes, the directory included. */
async function leftOver(random: Random): Promise<Buffer> {
  const sink = new MemorySink()
  const zip = new ZipWriter(sink)
  const info = JSON.stringify(random.once(3) ? distort(random, DUMP_INFO, 5) : DUMP_INFO)
  await zip.add('x-dump-info.json', info)
  const hidden = await forgery(random)
  const image = imageOf(random)
  const at = random.below(image.length + 1)
  const core = Buffer.concat([
    image.subarray(0, at),
    ...random.times(1 + random.below(3), () => hidden),
    random.bytes(random.below(3000)),
    image.subarray(at),
  ])
  await drain(Readable.from([core]), zip, {
    entryName: 'x.core',
    mode: random.pick(['deflate', 'store', 'adaptive']),
    engine: random.pick(ENGINES),
    blockBytes: 16_384,
  })
  await zip.add('x-0.log', text(random))
  await zip.add('x-manifest.json', '{"its": "own"}')
  await zip.finish()
  return sink.bytes()
}

/** An archive in the memory of the process, which a search for headers finds too. */
async function forgery(random: Random): Promise<Buffer> {
  const sink = new MemorySink()
  const zip = new ZipWriter(sink)
  await zip.add(
    random.pick(['x-manifest.json', 'y.core', text(random).replaceAll(/\W/g, '_') || 'z']),
    FORGED,
  )
  if (random.once(2)) await zip.finish()
  return sink.bytes()
}
