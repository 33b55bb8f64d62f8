import { spawnSync } from 'node:child_process'
import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Variant } from './variants.ts'
import type { Workshop } from './workshop.ts'

/** One run, as the feeder saw it. */
export interface Run {
  /** Until the pipe was drained: how long the kernel would hold the process. */
  readonly drainSeconds: number
  readonly totalSeconds: number
  readonly cpuSeconds: number
  readonly rssMib: number
  readonly rssAnonMib: number
  readonly outBytes: number
}

export function measure({ feeder, out }: Workshop, core: string, variant: Variant): Run {
  // what the run before has written must not be written during this one
  spawnSync('sync')
  const args = [core, '--', 'sh', '-c', variant.command, join(out, 'core')]
  const fed = spawnSync(feeder, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    encoding: 'utf8',
  })
  const seen = JSON.parse(fed.output[3] || '{}') as Run & { status: number; errno: number }
  if (seen.status !== 0 || seen.errno !== 0) {
    throw new Error(`${variant.name} failed on ${core}: exit ${seen.status}, errno ${seen.errno}`)
  }
  const { drainSeconds, totalSeconds, cpuSeconds, rssMib, rssAnonMib } = seen
  const written = readdirSync(out).map((name) => join(out, name))
  const outBytes = written.reduce((sum, path) => sum + statSync(path).size, 0)
  for (const path of written) rmSync(path)
  return { drainSeconds, totalSeconds, cpuSeconds, rssMib, rssAnonMib, outBytes }
}
