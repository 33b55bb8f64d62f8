import { resolve } from 'node:path'
import { bundleName, Warnings } from '@core-dump-handler/capture'
import * as v from 'valibot'
import { isIngestError, ZipWriter } from '@core-dump-handler/ingest'
import JSZip from 'jszip'
import type { Random } from '../generate/random.ts'
import { text, word } from '../generate/text.ts'
import { MemorySink } from '../support/memory-sink.ts'
import { promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'

const UUID = '3d2c1b0a-1111-4222-8333-444455556666'
const FIELDS = [
  'limit_size',
  'exe_name',
  'pid',
  'signal',
  'timestamp',
  'directory',
  'hostname',
  'pathname',
  'namespace',
  'podname',
  'podUid',
  'container',
  'containerId',
  'nodeHostname',
  'signalName',
  'hostPid',
  'uid',
  'gid',
] as const
const NAME_FIELDS = v.object(v.entriesFromList(FIELDS, v.string()))
const SUFFIXES = ['-dump-info.json', '.core', '-0-proc/environ', '-process/maps', '-0.log']
const ROUND = 100

export const names: Target = {
  name: 'names',
  what: 'file name templates with hostile fields, and entry names of archives',
  begin() {
    return {
      async round(random) {
        for (let left = ROUND; left > 0; left--) await assertSafeName(random)
        await assertSafeEntries(random)
      },
    }
  },
}

/** A bundle's name is one visible path segment with room for what is added to it, and never lost. */
async function assertSafeName(random: Random): Promise<void> {
  const template = templateOf(random)
  const words = Object.fromEntries(FIELDS.map((field) => [field, word(random).toString()]))
  const fields = { ...v.parse(NAME_FIELDS, words), uuid: UUID }
  const name = bundleName(template, fields, new Warnings())
  const describe = (): string => `${JSON.stringify(template)} gave ${JSON.stringify(name)}`
  promised(name !== '' && Buffer.byteLength(name) <= 200, describe)
  promised(!/^[.-]|[\p{C}\p{Zl}\p{Zp}/\\:*?"<>|`$]/u.test(name) && name.trim() === name, describe)
  const zip = new ZipWriter(new MemorySink())
  for (const suffix of SUFFIXES) await zip.add(`${name}${suffix}`, '')
}

function templateOf(random: Random): string {
  const parts = random.times(1 + random.below(5), () => {
    const field = random.pick([...FIELDS, 'uuid', 'nope'])
    return random.pick([`{${field}}`, `{ ${field} }`, `{${field}|unescaped}`, text(random), '-'])
  })
  return parts.join('')
}

/** What is taken as a name is found again below the directory that it is extracted into. */
async function assertSafeEntries(random: Random): Promise<void> {
  const sink = new MemorySink()
  const zip = new ZipWriter(sink)
  const taken = new Set<string>()
  for (const name of random.times(40, () => text(random))) {
    try {
      await zip.add(name, name)
      taken.add(name)
    } catch (error) {
      const refused = isIngestError(error) && /^(INVALID|DUPLICATE)_NAME$/.test(error.code)
      promised(refused, () => `${JSON.stringify(name)}: ${String(error)}`)
    }
  }
  await zip.finish()
  const read = await JSZip.loadAsync(sink.bytes(), { checkCRC32: true })
  const found = Object.values(read.files).filter(({ dir }) => !dir)
  promised(found.length === taken.size, () => `${taken.size} entries, ${found.length} were read`)
  for (const { name, unsafeOriginalName = name } of found) {
    const describe = (): string => JSON.stringify(unsafeOriginalName)
    promised(taken.has(unsafeOriginalName) && name === unsafeOriginalName, describe)
    promised(resolve('/into', name).startsWith('/into/'), describe)
  }
}
