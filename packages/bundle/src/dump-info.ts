import { constants } from 'node:os'
import * as v from 'valibot'
import type { ManifestCrash } from './manifest.ts'

const TEXT = v.optional(v.pipe(v.string(), v.maxLength(4096)), '')
const UUID = v.optional(
  v.fallback(v.pipe(v.string(), v.regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)), ''),
  '',
)

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

/**
 * `<name>-dump-info.json`, the first entry of every bundle: the keys of IBM core-dump-handler 9
 * in its order, every value a string.
 */
export interface DumpInfo {
  readonly uuid: string
  readonly dump_file: string
  /** Seconds since 1970, core(5) %t. */
  readonly timestamp: string
  /** Host name of the crashed process, core(5) %h. */
  readonly hostname: string
  readonly exe: string
  /** The pid in the process's own pid namespace, core(5) %p. */
  readonly real_pid: string
  readonly signal: string
  readonly node_hostname: string
  /** With `!` for `/`, core(5) %E. */
  readonly path: string
}

/** The text of the entry `<name>-dump-info.json`. */
export function formatDumpInfo(info: DumpInfo): string {
  const { uuid, dump_file, timestamp, hostname, exe, real_pid, signal, node_hostname, path } = info
  // the order of the keys is part of the format
  const ordered = {
    uuid,
    dump_file,
    timestamp,
    hostname,
    exe,
    real_pid,
    signal,
    node_hostname,
    path,
  }
  return JSON.stringify(ordered)
}

/** What the text of a dump-info contains; empty strings where it cannot be read. */
export function parseDumpInfo(text: string | undefined): DumpInfo {
  try {
    return v.parse(DUMP_INFO, JSON.parse(text ?? '{}'))
  } catch {
    return v.parse(DUMP_INFO, {})
  }
}

/** The `crash` of a manifest as far as dump-info knows it; `fallback` is a time near the crash. */
export function crashOfDumpInfo(info: DumpInfo, fallback: Date): ManifestCrash {
  const signal = numberOf(info.signal)
  const pid = numberOf(info.real_pid)
  const signalName = Object.entries(constants.signals).find(([, value]) => value === signal)?.[0]
  return {
    time: crashTime(info.timestamp, fallback),
    ...(signal !== undefined && { signal }),
    ...(signalName !== undefined && { signalName }),
    ...(info.exe !== '' && { comm: info.exe }),
    ...(info.path !== '' && { exe: info.path.replaceAll('!', '/') }),
    ...(pid !== undefined && { pid }),
  }
}

/** RFC 3339 of the kernel's `%t`, seconds since 1970; of `fallback` when that is not a number. */
export function crashTime(timestamp: string, fallback: Date = new Date()): string {
  const at = /^\d{1,11}$/.test(timestamp) ? new Date(Number(timestamp) * 1000) : fallback
  return at.toISOString()
}

function numberOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined
}
