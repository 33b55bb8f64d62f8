import { closeSync, constants, openSync } from 'node:fs'
import { basename } from 'node:path'
import { text } from 'node:stream/consumers'
import * as v from 'valibot'
import { fromFdPromise } from 'yauzl'

const MAX_BYTES = 4 * 1024 * 1024
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const name = v.optional(v.pipe(v.string(), v.maxLength(4096)))

/** What a record needs of a manifest; the rest is kept as it is. */
const MANIFEST = v.looseObject({
  uuid: v.string(),
  crash: v.looseObject({ time: v.string(), signal: v.optional(v.number()), exe: name, comm: name }),
  identity: v.looseObject({
    status: v.string(),
    container: name,
    namespace: name,
    imageRef: name,
    image: name,
    podUid: name,
  }),
  core: v.looseObject({ bytes: v.number() }),
  problems: v.array(v.unknown()),
})

/** `-dropped.json` of a record: bundles it stands for. */
const DROPPED = v.array(
  v.object({
    bundle: v.string(),
    uuid: v.optional(v.string()),
    time: v.string(),
    bytes: v.number(),
    reason: v.string(),
  }),
)

export type DroppedBundle = v.InferOutput<typeof DROPPED>[number]

/** What a bundle tells of itself; without a manifest where none can be read. */
export interface BundleFacts {
  readonly manifest?: v.InferOutput<typeof MANIFEST>
  /** Text of `-dump-info.json`. */
  readonly dumpInfo?: string
  /** Set in a record of bundles that were dropped before. */
  readonly dropped?: readonly DroppedBundle[]
}

/** Reads the small entries of a bundle; never rejects: a file may be cut, no zip, or gone. */
export async function readBundleFacts(path: string): Promise<BundleFacts> {
  let fd: number | undefined
  const facts: { -readonly [K in keyof BundleFacts]: BundleFacts[K] } = {}
  try {
    fd = openSync(path, FLAGS)
    const zip = await fromFdPromise(fd, { autoClose: false })
    for await (const entry of zip.eachEntry()) {
      const suffix = /-(manifest|dump-info|dropped)\.json$/.exec(basename(entry.fileName))?.[1]
      if (suffix === undefined || entry.uncompressedSize > MAX_BYTES) continue
      const content = await text(await zip.openReadStreamPromise(entry))
      if (suffix === 'dump-info') facts.dumpInfo = content
      else if (suffix === 'dropped') facts.dropped = v.parse(DROPPED, JSON.parse(content))
      else facts.manifest = v.parse(MANIFEST, JSON.parse(content))
    }
  } catch {
    // what was read until then is what is known
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
  return facts
}

/** Whose crashes are kept or dropped together: image, container and signal; on the host executable and signal. */
export function workloadOf({ manifest }: BundleFacts): string {
  if (manifest === undefined) return 'unreadable'
  const { crash, identity } = manifest
  const { namespace, container, imageRef, image } = identity
  const whose = container === undefined ? [identity.status, crash.exe ?? crash.comm] : []
  return JSON.stringify([namespace, container, imageRef ?? image, ...whose, crash.signal])
}
