import { closeSync, constants, openSync } from 'node:fs'
import { basename } from 'node:path'
import { text } from 'node:stream/consumers'
import * as v from 'valibot'
import { fromFdPromise } from 'yauzl'
import { parseManifest } from './manifest-schema.ts'
import type { BundleManifest } from './manifest.ts'
import { ENTRY } from './names.ts'

const MAX_ENTRY_BYTES = 4 * 1024 * 1024
// a link is not followed, a FIFO is not waited for
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

const DROPPED = v.array(
  v.object({
    bundle: v.string(),
    uuid: v.exactOptional(v.string()),
    time: v.string(),
    bytes: v.number(),
    reason: v.string(),
  }),
)

/** A bundle that a record stands for, in its entry `-dropped.json`. */
export interface DroppedBundle {
  readonly bundle: string
  readonly uuid?: string
  readonly time: string
  readonly bytes: number
  readonly reason: string
}

/** The small JSON entries of a bundle; absent: missing, cut, too large, or not valid. */
export interface BundleInfo {
  readonly manifest?: BundleManifest
  /** Text of `-dump-info.json`. */
  readonly dumpInfo?: string
  readonly dropped?: readonly DroppedBundle[]
}

/**
 * Reads the small entries of the bundle at `path`; never rejects: the file may be cut, not a zip,
 * or gone. Opens the file before it returns.
 */
export async function readBundle(path: string): Promise<BundleInfo> {
  const info: { -readonly [K in keyof BundleInfo]: BundleInfo[K] } = {}
  await readEntries(path, (name) => {
    const read = readers.find(({ suffix }) => name.endsWith(suffix))?.read
    return read && ((content) => Object.assign(info, read(content)))
  })
  return info
}

/** Text of `-report.txt`; undefined where none can be read. Opens the file before it returns. */
export async function readReportText(path: string): Promise<string | undefined> {
  let found: string | undefined
  await readEntries(path, (name) =>
    name.endsWith(ENTRY.reportText) ? (content) => (found = content) : undefined,
  )
  return found
}

/** Reads the entries that `readerOf` has a reader for, until the first that cannot be read. */
async function readEntries(
  path: string,
  readerOf: (name: string) => ((content: string) => unknown) | undefined,
): Promise<void> {
  let fd: number | undefined
  try {
    fd = openSync(path, FLAGS)
    const zip = await fromFdPromise(fd, { autoClose: false })
    for await (const entry of zip.eachEntry()) {
      const read = readerOf(basename(entry.fileName))
      if (read === undefined || entry.uncompressedSize > MAX_ENTRY_BYTES) continue
      read(await text(await zip.openReadStreamPromise(entry)))
    }
  } catch {
    // what was read until then is what is known
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** The manifest of the bundle at `path`; undefined where none can be read. Opens the file before it returns. */
export async function readManifest(path: string): Promise<BundleManifest | undefined> {
  return (await readBundle(path)).manifest
}

const readers: readonly {
  readonly suffix: string
  readonly read: (content: string) => BundleInfo
}[] = [
  {
    suffix: ENTRY.manifest,
    read: (content) => {
      const manifest = parseManifest(JSON.parse(content))
      return manifest === undefined ? {} : { manifest }
    },
  },
  { suffix: ENTRY.dumpInfo, read: (content) => ({ dumpInfo: content }) },
  {
    suffix: ENTRY.dropped,
    read: (content) => ({ dropped: v.parse(DROPPED, JSON.parse(content)) }),
  },
]
