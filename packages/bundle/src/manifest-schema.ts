import * as v from 'valibot'
import { type BundleManifest, CORE_REASON_CODES, MANIFEST_SCHEMA_ID } from './manifest.ts'

/** Strings of a manifest may come from the crashed process: each is bounded. */
const MAX_TEXT = 4096

const text = v.pipe(v.string(), v.maxLength(MAX_TEXT))
const optionalText = v.exactOptional(text)
const count = v.pipe(v.number(), v.finite(), v.minValue(0))
const optionalCount = v.exactOptional(count)

const crash = v.looseObject({
  time: text,
  signal: optionalCount,
  signalName: optionalText,
  comm: optionalText,
  commHex: optionalText,
  exe: optionalText,
  hostPid: optionalCount,
  pid: optionalCount,
  tid: optionalCount,
  uid: optionalCount,
  gid: optionalCount,
  dumpMode: optionalCount,
  coreLimit: optionalText,
})

const identity = v.looseObject({
  status: v.picklist(['verified', 'unverified', 'host']),
  reason: optionalText,
  containerId: optionalText,
  container: optionalText,
  pod: optionalText,
  namespace: optionalText,
  podUid: optionalText,
  image: optionalText,
  imageRef: optionalText,
  restartCount: optionalCount,
})

const core = v.looseObject({
  entry: optionalText,
  bytes: count,
  storedBytes: optionalCount,
  expectedBytes: optionalCount,
  complete: v.boolean(),
  reason: optionalText,
  reasonCode: knownOnly(CORE_REASON_CODES),
  crc32: optionalText,
  method: knownOnly(['deflate', 'zstd']),
  mode: knownOnly(['deflate', 'store', 'adaptive', 'zstd']),
  engine: knownOnly(['isal', 'zlib']),
  holdBudgetMs: optionalCount,
  treated: v.exactOptional(
    v.looseObject({ zeroBytes: count, storedBytes: count, compressedBytes: count }),
  ),
})

const manifest = v.looseObject({
  schema: v.literal(MANIFEST_SCHEMA_ID),
  uuid: text,
  composer: text,
  entry: knownOnly(['pipe', 'socket']),
  node: v.looseObject({ hostname: text, kernel: text }),
  crash,
  identity,
  core,
  fingerprint: v.exactOptional(v.looseObject({ id: text, family: text })),
  topFrame: optionalText,
  reportSkipped: v.exactOptional(v.array(text)),
  timings: v.looseObject({ heldMs: count, lookupMs: count, totalMs: count }),
  // a code becomes a label of a metric: never free text
  problems: v.array(
    v.looseObject({
      code: v.pipe(v.string(), v.regex(/^[A-Z][A-Z0-9_]{0,47}$/)),
      message: text,
    }),
  ),
})

/** `value` as a manifest, with fields of later versions as they are; undefined when it is none. */
export function parseManifest(value: unknown): BundleManifest | undefined {
  const parsed = v.safeParse(manifest, value)
  return parsed.success ? parsed.output : undefined
}

/** A value of a later version is as if it were absent. */
function knownOnly<const T extends readonly string[]>(values: T) {
  return v.fallback(v.optional(v.picklist(values)), undefined)
}
