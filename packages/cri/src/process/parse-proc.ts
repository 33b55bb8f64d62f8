import type { ProcessStatus } from './types.ts'

/** Parse /proc/<pid>/status; undefined where a field is missing that every kernel writes. */
export function parseStatus(text: string): ProcessStatus | undefined {
  // the kernel escapes newlines in Name, so every newline ends a field
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trim())
  }
  const name = fields.get('Name')
  const uid = integers(fields.get('Uid'))[0]
  const gid = integers(fields.get('Gid'))[0]
  if (name === undefined || uid === undefined || gid === undefined) return undefined
  return {
    name,
    // NSpid of a thread is the thread's id; a kernel without pid namespaces has Pid only
    nspid: integers(fields.get('NStgid') ?? fields.get('NSpid') ?? fields.get('Pid')),
    uid,
    gid,
    coreDumping: fields.get('CoreDumping') === '1',
  }
}

function integers(field = ''): number[] {
  return field
    .split(/\s+/)
    .filter((word) => /^\d+$/.test(word))
    .map(Number)
}

// USER_HZ is 100 on every architecture that Kubernetes runs on, whatever CONFIG_HZ is
const TICKS_PER_SECOND = 100

/** Field 22 of /proc/<pid>/stat: the start of the process in clock ticks after boot. */
export function parseStartTime(stat: string): bigint | undefined {
  // comm is field 2, in parentheses, and may itself hold blanks and parentheses
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const field = fields[19]
  return field !== undefined && /^\d+$/.test(field) ? BigInt(field) : undefined
}

/** Seconds since the epoch, by `btime` of /proc/stat, which follows the current clock. */
export function secondsSinceEpoch(startTime: bigint, kernelStat: string): number | undefined {
  const btime = /^btime (\d+)$/m.exec(kernelStat)?.[1]
  return btime === undefined ? undefined : Number(btime) + Number(startTime) / TICKS_PER_SECOND
}
