import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100
const SAMPLE_MS = 10

/** What one program cost. */
export interface Cost {
  readonly wallS: number
  readonly cpuS: number
  readonly rssMiB: number
}

/** Run a program and look at its /proc entry until it ends: the same yardstick for every client. */
export async function measure(
  command: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv,
): Promise<Cost> {
  const started = performance.now()
  const [program, ...args] = command
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr = `${stderr}${chunk.toString()}`.slice(-500)))
  let cpuS = 0
  let rssMiB = 0
  const sampler = setInterval(() => {
    try {
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
      // after the name: state is field 3, utime 14, stime 15
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      cpuS = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      rssMiB = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? rssMiB * 1024) / 1024
    } catch {
      // it has just ended: the last look counts
    }
  }, SAMPLE_MS)
  const status = await new Promise((resolve) => child.once('exit', resolve))
  clearInterval(sampler)
  if (status !== 0) throw new Error(`${program} failed: ${stderr}`)
  return { wallS: (performance.now() - started) / 1000, cpuS, rssMiB }
}
