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

export function measure(workshop: Workshop, core: string, variant: Variant): Run {
  const out = join(workshop.dir, 'out')
  clear(workshop.dir)
  // what the run before has written must not be written during this one
  spawnSync('sync')
  const args = [core, '--', 'sh', '-c', variant.command, out]
  const fed = spawnSync(workshop.feeder, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    encoding: 'utf8',
  })
  const seen = JSON.parse(fed.output[3] ?? '{}') as Run & { status: number; errno: number }
  if (seen.status !== 0 || seen.errno !== 0) {
    throw new Error(`${variant.name} failed on ${core}: exit ${seen.status}, errno ${seen.errno}`)
  }
  const { drainSeconds, totalSeconds, cpuSeconds, rssMib, rssAnonMib } = seen
  const outBytes = outputs(workshop.dir).reduce((sum, path) => sum + statSync(path).size, 0)
  clear(workshop.dir)
  return { drainSeconds, totalSeconds, cpuSeconds, rssMib, rssAnonMib, outBytes }
}

function outputs(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => name === 'out' || name === '.out.part')
    .map((name) => join(dir, name))
}

function clear(dir: string): void {
  for (const path of outputs(dir)) rmSync(path)
}
