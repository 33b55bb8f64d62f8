import { spawnSync } from 'node:child_process'
import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Variant } from './options.ts'
import type { Workshop } from './workshop.ts'

/** One run, as measured by the feeder. */
export interface Run {
  /** Until the pipe was drained: how long the kernel would hold the crashed process. */
  readonly drainSeconds: number
  readonly totalSeconds: number
  readonly cpuSeconds: number
  readonly rssMib: number
  readonly rssAnonMib: number
  readonly outBytes: number
}

export function measure({ feeder, out }: Workshop, core: string, variant: Variant): Run {
  // the data of the run before must not be written during this one
  spawnSync('sync')
  const args = [core, '--', 'sh', '-c', variant.command, join(out, 'core')]
  const fed = spawnSync(feeder, args, {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    encoding: 'utf8',
  })
  const number = numbersIn(fed.output[3] ?? '')
  if (number('status') !== 0 || number('errno') !== 0) {
    const why = `exit ${number('status')}, errno ${number('errno')}`
    throw new Error(`${variant.name} failed on ${core}: ${why}`)
  }
  const written = readdirSync(out).map((name) => join(out, name))
  const outBytes = written.reduce((sum, path) => sum + statSync(path).size, 0)
  for (const path of written) rmSync(path)
  return {
    drainSeconds: number('drainSeconds'),
    totalSeconds: number('totalSeconds'),
    cpuSeconds: number('cpuSeconds'),
    rssMib: number('rssMib'),
    rssAnonMib: number('rssAnonMib'),
    outBytes,
  }
}

/** The numbers of a JSON object; NaN for a field that is not a number. */
function numbersIn(json: string): (field: string) => number {
  const parsed: unknown = JSON.parse(json || '{}')
  const fields = new Map(
    Object.entries(typeof parsed === 'object' && parsed !== null ? parsed : {}),
  )
  return (field) => Number(fields.get(field) ?? Number.NaN)
}
