import { readFile } from 'node:fs/promises'
import { readBackup } from '@core-dump-handler/sysctl'
import writeFileAtomic from 'write-file-atomic'
import { nodeFiles } from './node-files.ts'
import {
  CORE_PATTERN,
  CORE_PIPE_LIMIT,
  hostDirOf,
  isBackup,
  PIPE_LIMIT,
  SUID_DUMPABLE,
  SYSCTLS,
  type SysctlValues,
} from './sysctls.ts'

/** What is known of earlier starts, by sysctl. */
export interface SysctlRecord {
  /** Values that agents have set and that may still be in force. */
  readonly set: ReadonlyMap<string, ReadonlySet<string>>
  /** The value found by the installation, as far as it is known. */
  readonly first: ReadonlyMap<string, string>
}

const LINE = /^sysctl (\S+) (set|first) (.*)$/
const MAX_LINES = 100

/**
 * The record in `.deployed` of an agent with this HOST_DIR. Agents before it was written left only
 * backups: then the first value is that of the backup.
 */
export async function readSysctlRecord(hostDir: string): Promise<SysctlRecord> {
  const set = new Map<string, Set<string>>()
  const first = new Map<string, string>()
  for (const line of await linesOf(hostDir)) {
    const [, key = '', kind, value = ''] = LINE.exec(line) ?? []
    if (kind === 'set') set.set(key, (set.get(key) ?? new Set()).add(value))
    if (kind === 'first') first.set(key, value)
  }
  for (const key of SYSCTLS) {
    if (first.has(key)) continue
    const { value } = await readBackup(key, { backupDir: hostDir, isBackup }).catch(() => ({
      value: undefined,
    }))
    if (value !== undefined) first.set(key, value)
  }
  return { set, first }
}

/**
 * Records what this start sets, before it is set: a value that is ours and in force stays on the
 * list, because the start may be interrupted.
 */
export async function recordSysctls(
  hostDir: string,
  { found, wanted, earlier }: Record<'found' | 'wanted', SysctlValues> & { earlier: SysctlRecord },
): Promise<void> {
  const isOurs = ownership(found, earlier)
  const lines = (await linesOf(hostDir)).filter((line) => line !== '' && !LINE.test(line))
  for (const key of SYSCTLS) {
    const set = new Set([wanted[key], ...(isOurs(key) ? [found[key]] : [])])
    const first = earlier.first.get(key) ?? (isOurs(key) ? undefined : found[key])
    for (const value of set) lines.push(`sysctl ${key} set ${value}`)
    if (first !== undefined) lines.push(`sysctl ${key} first ${first}`)
  }
  await writeFileAtomic(nodeFiles(hostDir).deployed, `${lines.join('\n')}\n`, { mode: 0o600 })
}

/**
 * Which of the values in force an agent has set. A number tells less than the pattern: it counts as
 * ours where it is one that we set, unless another program has set both pattern and limit: then the
 * node was started again, or that program has set all three.
 */
export function ownership(
  found: SysctlValues,
  { set, first }: SysctlRecord,
): (key: string) => boolean {
  const patternIsOurs = hostDirOf(found[CORE_PATTERN]) !== undefined
  const limits = set.get(CORE_PIPE_LIMIT) ?? new Set([PIPE_LIMIT])
  const limitIsOurs = limits.has(found[CORE_PIPE_LIMIT])
  if (!patternIsOurs && (!limitIsOurs || first.size === 0)) return () => false
  const ours: Readonly<Record<string, boolean>> = {
    [CORE_PATTERN]: patternIsOurs,
    [CORE_PIPE_LIMIT]: limitIsOurs,
    // an agent without a record set one of three values, no one knows which
    [SUID_DUMPABLE]: set.get(SUID_DUMPABLE)?.has(found[SUID_DUMPABLE]) ?? true,
  }
  return (key) => ours[key] === true
}

async function linesOf(hostDir: string): Promise<string[]> {
  const text = await readFile(nodeFiles(hostDir).deployed, 'utf8').catch(() => '')
  return text.split('\n', MAX_LINES)
}
