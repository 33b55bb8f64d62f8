import { constants } from 'node:os'
import type { ManifestCrash } from '@core-dump-handler/composer'
import * as v from 'valibot'

const TEXT = v.optional(v.pipe(v.string(), v.maxLength(4096)), '')
// becomes the name of an Event
const UUID = v.optional(
  v.fallback(v.pipe(v.string(), v.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)), ''),
  '',
)

/** `<name>-dump-info.json`, the first entry of a bundle: version 9's keys, every value a string. */
const DUMP_INFO = v.object({
  uuid: UUID,
  dump_file: TEXT,
  timestamp: TEXT,
  hostname: TEXT,
  exe: TEXT,
  real_pid: TEXT,
  signal: TEXT,
  node_hostname: TEXT,
  path: TEXT,
})

export type DumpInfo = v.InferOutput<typeof DUMP_INFO>

/** What was said of the crash; nothing but empty texts where that cannot be read. */
export function parseDumpInfo(bytes: Buffer | undefined): DumpInfo {
  try {
    return v.parse(DUMP_INFO, JSON.parse(bytes?.toString() ?? '{}'))
  } catch {
    return v.parse(DUMP_INFO, {})
  }
}

/** The part of the manifest that dump-info tells; `fallback` is a time near the crash. */
export function crashOf(info: DumpInfo, fallback: Date): ManifestCrash {
  const signal = numberOf(info.signal)
  const pid = numberOf(info.real_pid)
  const signalName = Object.entries(constants.signals).find(([, value]) => value === signal)?.[0]
  const seconds = /^\d{1,11}$/.test(info.timestamp) ? Number(info.timestamp) : undefined
  return {
    time: (seconds === undefined ? fallback : new Date(seconds * 1000)).toISOString(),
    ...(signal !== undefined && { signal }),
    ...(signalName !== undefined && { signalName }),
    ...(info.exe !== '' && { comm: info.exe }),
    // the kernel writes `!` for `/`, core(5) %E
    ...(info.path !== '' && { exe: info.path.replaceAll('!', '/') }),
    ...(pid !== undefined && { pid }),
  }
}

function numberOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined
}
