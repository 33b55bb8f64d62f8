/**
 * Many crashes at one moment, through the real kernel: how long processes are held, what all composers
 * together take of memory, and what becomes of each crash. For the time of each run the whole
 * machine's crashes come here.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Agent } from '../harness/agent.ts'
import { Bundle } from '../harness/bundle.ts'
import { withKernel } from '../harness/kernel.ts'
import { storm } from '../harness/storm.ts'

const USAGE = `Usage: npm run bench -- storm [--runs 128x1,500x1,32x100] [--set NAME=value …]

Needs root: so many programs of so many MiB crash at once. --set gives the composer a setting,
such as COMP_CONCURRENT_DRAINS=4 or COMP_COMPRESSION_MODE=store.
`

const { values: options } = parseArgs({
  strict: false,
  options: {
    runs: { type: 'string', default: '128x1,500x1,32x100' },
    set: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean' },
  },
})

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

async function run(crashes: number, mebibytes: number): Promise<void> {
  const settings = (options.set as string[]).map((text) => text.split('=', 2) as [string, string])
  const agent = new Agent({ COMP_RATE_CRASHES: '0', ...Object.fromEntries(settings) })
  try {
    const result = await withKernel(async () => {
      await agent.start()
      try {
        const { directory, hostDir } = agent
        return await storm({ directory, hostDir, crashes, mebibytes })
      } finally {
        await agent.command('remove')
      }
    })
    const pids = new Set(result.pids)
    let whole = 0
    let records = 0
    const held: number[] = []
    const problems = new Map<string, number>()
    for (const name of readdirSync(agent.coreDir).filter((file) => file.endsWith('.zip'))) {
      const { manifest } = await Bundle.open(join(agent.coreDir, name))
      if (!pids.has(manifest.crash.hostPid ?? 0)) continue
      if (manifest.core.complete) whole++
      else records++
      held.push(manifest.timings.heldMs)
      for (const { code } of manifest.problems) problems.set(code, (problems.get(code) ?? 0) + 1)
    }
    const lost = crashes - whole - records - result.dropped
    process.stdout.write(
      `${crashes} x ${mebibytes} MiB: first released ${seconds(result.firstReleasedMs)}, last ${seconds(result.lastReleasedMs)}, over ${seconds(result.overMs)}; ` +
        `peak PSS ${result.peakPssMiB.toFixed(0)} MiB of ${result.peakComposers} composers; ` +
        `${whole} whole, ${records} without a whole core, ${result.dropped} dropped by the kernel, ${lost} lost; ` +
        `median held ${held.toSorted((a, b) => a - b)[held.length >> 1] ?? 0} ms ${JSON.stringify(Object.fromEntries(problems))}\n`,
    )
  } finally {
    await agent.dispose()
  }
}

if (options.help) process.stdout.write(USAGE)
else if (process.getuid?.() !== 0) {
  process.stdout.write('left out: only root may say what the kernel does with cores\n')
} else {
  for (const text of String(options.runs).split(',')) {
    const [crashes = 0, mebibytes = 0] = text.split('x').map(Number)
    await run(crashes, mebibytes)
  }
}
