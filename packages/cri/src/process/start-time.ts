// USER_HZ: what every architecture Kubernetes runs on shows in procfs, whatever CONFIG_HZ is
const TICKS_PER_SECOND = 100

/** Field 22 of /proc/<pid>/stat: the start of the process in clock ticks after boot. */
export function parseStartTime(stat: string): bigint | undefined {
  // comm is field 2, in parentheses, and may itself hold blanks and parentheses
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const field = fields[19]
  return field !== undefined && /^\d+$/.test(field) ? BigInt(field) : undefined
}

/** Seconds since the epoch, by `btime` of /proc/stat, which the kernel derives from today's clock. */
export function secondsSinceEpoch(startTime: bigint, kernelStat: string): number | undefined {
  const btime = /^btime (\d+)$/m.exec(kernelStat)?.[1]
  return btime === undefined ? undefined : Number(btime) + Number(startTime) / TICKS_PER_SECOND
}
