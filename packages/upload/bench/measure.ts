import { spawn } from 'node:child_process'
import { ProcessCost, type Cost } from '@core-dump-handler/testing/bench/process-cost'

const SAMPLE_MS = 10

/** Run a program and sample its /proc entry until it ends: the same measure for every client. */
export async function measure(
  command: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv,
): Promise<Cost> {
  const started = performance.now()
  // becomes the program, and ends when we are killed
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', '--', ...command], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr = `${stderr}${chunk.toString()}`.slice(-500)))
  const cost = new ProcessCost(child.pid ?? 0)
  const sampler = setInterval(() => cost.sample(), SAMPLE_MS)
  const status = await new Promise((resolve) => child.once('close', resolve))
  clearInterval(sampler)
  if (status !== 0) throw new Error(`${command[0]} failed: ${stderr}`)
  return { wallS: (performance.now() - started) / 1000, ...cost.seen }
}
