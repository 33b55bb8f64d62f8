import { closeSync, constants, openSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { CORE_REASON_CODES } from '@core-dump-handler/composer'
import * as v from 'valibot'
import { fromFdPromise } from 'yauzl'

const MAX_BYTES = 1024 * 1024
// whatever has got the name meanwhile: no link is followed, no FIFO waited for
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

const count = v.pipe(v.number(), v.finite(), v.minValue(0))
const name = v.optional(v.pipe(v.string(), v.maxLength(4096)))

const SCHEMA = v.object({
  uuid: v.string(),
  crash: v.object({ time: v.string(), signalName: name, comm: name, exe: name }),
  identity: v.object({
    status: v.picklist(['verified', 'unverified', 'host']),
    container: name,
    pod: name,
    namespace: name,
    podUid: name,
  }),
  core: v.object({
    bytes: count,
    complete: v.boolean(),
    reason: name,
    // a later composer may know more of them
    reasonCode: v.fallback(v.optional(v.picklist(CORE_REASON_CODES)), undefined),
  }),
  timings: v.object({ heldMs: count }),
  // a code becomes a label of a metric: never free text
  problems: v.array(v.object({ code: v.pipe(v.string(), v.regex(/^[A-Z][A-Z0-9_]{0,47}$/)) })),
})

/** The part of a bundle's manifest that is told to others; its strings come from the crashed process. */
export type Manifest = v.InferOutput<typeof SCHEMA>

/** The manifest of the bundle open at `fd`, which is left open; `undefined` where there is none that can be read. */
async function readManifest(fd: number): Promise<Manifest | undefined> {
  try {
    const zip = await fromFdPromise(fd, { autoClose: false })
    for await (const entry of zip.eachEntry()) {
      if (!entry.fileName.endsWith('-manifest.json') || entry.uncompressedSize > MAX_BYTES) continue
      return v.parse(SCHEMA, JSON.parse(await text(await zip.openReadStreamPromise(entry))))
    }
  } catch {
    // not a zip, cut, or not ours: it is carried all the same and counted as such
  }
  return undefined
}

/** A manifest that came as text; `undefined` where it cannot be read. */
export function parseManifest(content: string | undefined): Manifest | undefined {
  try {
    return v.parse(SCHEMA, JSON.parse(content ?? ''))
  } catch {
    return undefined
  }
}

/** The same of a path; `undefined` also where nothing can be opened. Opens before it returns. */
export async function readManifestOf(path: string): Promise<Manifest | undefined> {
  let fd: number
  try {
    fd = openSync(path, FLAGS)
  } catch {
    return undefined
  }
  try {
    return await readManifest(fd)
  } finally {
    closeSync(fd)
  }
}
