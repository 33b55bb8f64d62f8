import type { StraightHello } from '@core-dump-handler/composer'
import type { OpenArchive } from '@core-dump-handler/ingest'
import type { PartsState } from '@core-dump-handler/upload'
import * as v from 'valibot'

const text = v.pipe(v.string(), v.maxLength(4096))
const count = v.pipe(v.number(), v.integer(), v.minValue(0))

// it becomes the name of a file and of an object
const name = v.pipe(
  v.string(),
  v.regex(/^[^./\p{Cc}][^/\p{Cc}]{0,254}$/u, 'expected the name of a bundle'),
)

const STATE: v.GenericSchema<unknown, PartsState> = v.object({
  store: text,
  key: text,
  uploadId: text,
  token: text,
  partBytes: v.pipe(count, v.minValue(1)),
  etags: v.array(text),
})

const HELLO = v.object({
  name,
  uuid: text,
  dumpInfo: v.pipe(v.string(), v.maxLength(65_536)),
  startedMs: v.pipe(v.number(), v.finite()),
  resume: v.optional(STATE),
})

const ENTRY = v.object({
  name: text,
  mtimeMs: v.number(),
  method: count,
  mode: count,
  zip64: v.boolean(),
  descriptor: v.boolean(),
  offset: count,
  crc32: count,
  bytes: count,
  compressedBytes: count,
})

const ARCHIVE = v.object({ position: count, entries: v.array(ENTRY), open: v.optional(ENTRY) })

/** What a composer says of itself, checked. @throws ValiError, SyntaxError */
export function parseHello(
  content: Buffer,
): Omit<StraightHello, 'resume'> & { readonly resume?: PartsState } {
  const { resume, ...rest } = v.parse(HELLO, JSON.parse(content.toString()))
  return { ...rest, ...(resume && { resume }) }
}

/** Where an archive stands. @throws ValiError, SyntaxError */
export function openArchive(content: Buffer): OpenArchive {
  const { open, ...rest } = v.parse(ARCHIVE, JSON.parse(content.toString()))
  return { ...rest, ...(open && { open }) }
}
