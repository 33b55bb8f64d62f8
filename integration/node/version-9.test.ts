import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import { crashingDuring, gapIn } from '@core-dump-handler/testing/kernel/crash-loop'
import { BundleCollector } from '@core-dump-handler/testing/bundle/bundle-collector'
import { coreSysctls, setCoreSysctls, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { realParts } from '../real-parts.ts'
import { until } from '@core-dump-handler/testing/until'

const VERSION_9 = new URL('../cluster/version-9/files/', import.meta.url).pathname

const FOUND = {
  'kernel.core_pattern': '|/bin/false %p',
  'kernel.core_pipe_limit': '7',
  'fs.suid_dumpable': '1',
} as const

realParts('a node taken over from IBM core-dump-handler 9', () => {
  test('is prepared again after a late preStop of version 9', async () => {
    const agent = newAgent()
    const bundles = new BundleCollector(
      directory(join(agent.directory, 'out')),
      join(agent.directory, 'in'),
    )
    await withKernel(async () => {
      setCoreSysctls(FOUND)
      await version9(agent, 'start.sh')
      await agent.start()
      await until('the agent has prepared the node', () =>
        agent.output.includes('this node is prepared'),
      )
      const { crashes, patterns } = await crashingDuring(async () => {
        await expect(version9(agent, 'stop.sh')).rejects.toMatchObject({ exitCode: 1 })
        await until('the node is taken again', () => agent.prepared && ready(agent) === 2)
      })
      const gap = gapIn(patterns, (value) => value.includes(`|${agent.hostDir}/cdc `))
      const after = crashes.filter(({ startMs }) => startMs > gap.endMs)
      const { crashes: more } = await crashingDuring(async () => sleepABit())
      const pids = [...after, ...more].map(({ pid }) => pid)
      const handled = await bundles.collect(
        ({ manifest }) => pids.includes(manifest.crash.hostPid ?? 0),
        pids.length,
      )
      expect(handled).toHaveLength(pids.length)
      const seconds = ((gap.endMs - gap.startMs) / 1000).toFixed(1)
      process.stderr.write(`taken again ${seconds} s after a preStop of version 9 that came late\n`)

      expect(await agent.command('remove')).toMatchObject({ code: 0 })
      expect(coreSysctls()).toEqual(FOUND)
      await agent.daemon.stop()
    })
    expect(existsSync(join(agent.hostDir, 'cdc'))).toBe(false)
  })

  test('keeps version 9’s backups and loses its other files', async () => {
    const agent = newAgent()
    await withKernel(async () => {
      setCoreSysctls(FOUND)
      await version9(agent, 'start.sh')
      // its pod was killed: there was no preStop
      await agent.start()
      const backup = readFileSync(join(agent.hostDir, 'core_pattern.bak'), 'utf8')
      expect(backup).toBe(FOUND['kernel.core_pattern'])
      await agent.daemon.stop()
      expect(await agent.command('remove')).toMatchObject({ code: 0 })
      expect(coreSysctls()).toEqual(FOUND)
    })
    expect(readdirSync(agent.hostDir)).toEqual([])
  })
})

/** Have version 9's agent do to this machine what it does when it starts or stops. */
async function version9(agent: Agent, script: 'start.sh' | 'stop.sh'): Promise<void> {
  const env = { PATH: process.env['PATH'], HOST_DIR: agent.hostDir, CORE_DIR: agent.coreDir }
  await execa('/bin/sh', [join(VERSION_9, script)], { env, extendEnv: false })
}

/** How often the agent has said that the node is prepared. */
const ready = (agent: Agent): number => agent.output.split('this node is prepared').length - 1

const sleepABit = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1500))

function directory(path: string): ConstructorParameters<typeof BundleCollector>[0] {
  return {
    keys: async () => readdirSync(path).filter((name) => !name.startsWith('.')),
    fetch: async (key, target) => void (await execa('cp', [join(path, key), target])),
  }
}

function newAgent(): Agent {
  const agent = new Agent({ USE_INOTIFY: 'true', COMP_IGNORE_CRIO: 'true' })
  agent.set({ DESTINATION: `file:${agent.directory}/out` })
  onTestFinished(() => agent.dispose())
  return agent
}
