import { crc32 } from 'node:zlib'
import { join } from 'node:path'
import {
  bundleFileName,
  createManifest,
  ENTRY,
  formatManifest,
  type ManifestParts,
} from '@core-dump-handler/bundle'
import { createPartFile, ZipWriter } from '@core-dump-handler/ingest'

export interface MadeBundle {
  /** Of the file, of its entries, and the uuid unless the manifest has another. */
  readonly name: string
  /** Ends of entry names, and contents. @default none but dump-info and manifest */
  readonly entries?: Readonly<Record<string, string | Buffer>>
  /** In place of that of a crash whose core is the entry `.core`; a text is written as it is, null not at all. */
  readonly manifest?: Partial<ManifestParts> | string | null
}

/** Writes a bundle of any content to `directory`; resolves with its path. */
export async function writeBundle(
  directory: string,
  { name, entries = {}, manifest = {} }: MadeBundle,
): Promise<string> {
  const path = join(directory, bundleFileName(name))
  await using part = await createPartFile(path)
  const zip = new ZipWriter(part)
  for (const [suffix, content] of Object.entries({ [ENTRY.dumpInfo]: '{}', ...entries })) {
    await zip.add(`${name}${suffix}`, content)
  }
  if (manifest !== null) {
    const core = coreOf(name, entries[ENTRY.core])
    const text =
      typeof manifest === 'string' ? manifest : formatManifest(manifestOf(name, core, manifest))
    await zip.add(`${name}${ENTRY.manifest}`, text)
  }
  await zip.finish()
  await part.publish()
  return path
}

function coreOf(name: string, content: string | Buffer | undefined): ManifestParts['core'] {
  if (content === undefined) return { bytes: 0, complete: true }
  const bytes = Buffer.byteLength(content)
  return {
    entry: `${name}${ENTRY.core}`,
    bytes,
    expectedBytes: bytes,
    crc32: crc32(content).toString(16).padStart(8, '0'),
    complete: true,
  }
}

function manifestOf(name: string, core: ManifestParts['core'], given: Partial<ManifestParts>) {
  return createManifest({
    uuid: name,
    composer: '0.1.0',
    node: { hostname: 'node-1', kernel: '6.1.0' },
    crash: { time: '2026-11-30T12:00:00.000Z', signal: 11, signalName: 'SIGSEGV', comm: 'web' },
    identity: { status: 'host' },
    core,
    timings: { heldMs: 1, lookupMs: 1, totalMs: 1 },
    problems: [],
    ...given,
  })
}
