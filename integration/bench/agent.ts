/** The agent, in a cgroup with little memory and with the environment of the image, uploads one bundle. */
import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, s3Settings } from '@core-dump-handler/testing/agent/agent'
import { memoryCgroup } from '@core-dump-handler/testing/kernel/memory-cgroup'
import type { ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { until } from '@core-dump-handler/testing/until'
import { RUNTIME_ENV } from '../../image/runtime-env.ts'
import { whyNoKernel } from '@core-dump-handler/testing/kernel/kernel'
import { endOnSignals } from '@core-dump-handler/testing/end-on-signals'
import { makeFile } from '@core-dump-handler/testing/bench/make-file'
import { mebibytes, variables } from '@core-dump-handler/testing/bench/parse'
import { ProcessCost } from '@core-dump-handler/testing/bench/process-cost'
import {
  COMMON_OPTIONS,
  COMMON_USAGE,
  log,
  publish,
  type Published,
} from '@core-dump-handler/testing/bench/publish'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'

const USAGE = `Usage: npm run bench -- agent [options]

Memory, CPU and time of the agent, as a process of its own in a cgroup with little memory, while it
uploads one bundle to an S3 server on this machine. Needs root.

  --size SIZE      of the bundle, such as 512MiB (default 5GiB)
  --limit SIZE     its memory limit, page cache included (default 128MiB)
  --setting N=V    of the agent, such as S3_WORKERS=1 (repeatable)
${COMMON_USAGE}`

const { values: options } = parseArgs({
  options: {
    ...COMMON_OPTIONS,
    size: { type: 'string', default: '5GiB' },
    limit: { type: 'string', default: '128MiB' },
    setting: { type: 'string', multiple: true, default: [] },
  },
})

const SAMPLE_MS = 20

if (options.help) process.stdout.write(USAGE)
else await bench()

async function bench(): Promise<void> {
  endOnSignals()
  // real stores keep connections alive
  const store = await startVersitygw(['--keep-alive'])
  try {
    publish(options, await uploadByAgent(store))
  } finally {
    await store.stop()
  }
}

async function uploadByAgent(store: ObjectStore): Promise<Published> {
  const mib = mebibytes('--size', options.size)
  const limitMib = mebibytes('--limit', options.limit)
  // a user who may set core patterns may create cgroups
  const why = whyNoKernel()
  if (why !== undefined) {
    log(`Left out: the agent in a memory cgroup: ${why}`)
    return { figures: {}, missing: [`agent: ${why}`] }
  }
  const agent = new Agent({
    ...s3Settings(store),
    USE_INOTIFY: 'true',
    ...RUNTIME_ENV,
    ...variables(options.setting),
  }).spareKernel()
  const cgroup = memoryCgroup(limitMib)
  try {
    log(`writing ${mib} MiB`)
    const part = await makeFile(join(agent.coreDir, '.bundle.zip.part'), mib)
    const daemon = agent.within(cgroup.procs).launch()
    await until('the agent prepares the node', () => agent.prepared)
    const cost = new ProcessCost(daemon.pid)
    cost.sample()
    const { cpuS: cpuBefore, rssMiB: idleRssMiB } = cost.seen
    const started = performance.now()
    renameSync(part, join(agent.coreDir, 'bundle.zip'))
    log('uploading')
    while (agent.waiting.includes('bundle.zip')) {
      if (!daemon.running()) {
        throw new Error(`The agent ended, ${cgroup.kills()} OOM kills:\n${agent.output}`)
      }
      cost.sample()
      await sleep(SAMPLE_MS)
    }
    const wallS = (performance.now() - started) / 1000
    cost.sample()
    const size = await store.size('bundle.zip')
    if (size !== mib * 2 ** 20) throw new Error(`The agent stored ${size} bytes`)
    const { rssMiB, anonMiB } = cost.seen
    const cpuPerGib = ((cost.seen.cpuS - cpuBefore) * 1024) / mib
    const [kills, peakMiB] = [cgroup.kills(), cgroup.peakMiB()]
    if (!options.json) {
      process.stdout.write(
        `\nagent, ${mib} MiB in a cgroup of ${limitMib} MiB: stored and verified, ${kills} OOM kills; ` +
          `peak RSS ${rssMiB.toFixed(0)} MiB (${idleRssMiB.toFixed(0)} before), anonymous ${anonMiB.toFixed(0)} MiB, ` +
          `cgroup with page cache ${peakMiB.toFixed(0)} MiB; ${wallS.toFixed(1)} s, ` +
          `${(mib / wallS).toFixed(0)} MiB/s, ${cpuPerGib.toFixed(2)} CPU-s per GiB\n`,
      )
    }
    const figures = { [`agent ${mib} RSS MiB`]: rssMiB, [`agent ${mib} OOM kills`]: kills }
    return { figures, mib, limitMib, wallS, cpuPerGib, rssMiB, anonMiB, idleRssMiB, peakMiB, kills }
  } finally {
    await agent.dispose()
    cgroup.remove()
  }
}
