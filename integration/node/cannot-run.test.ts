import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { deployExecutable } from '@core-dump-handler/agent/internal/deploy/deploy-composer'
import { selfTest } from '@core-dump-handler/agent/internal/canary/self-test'
import { parseArchitectures } from '../../image/executable/architecture.ts'
import { nodeBinary } from '../../image/executable/node-binary.ts'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import { coreSysctls, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { freePorts } from '@core-dump-handler/testing/network/free-ports'
import { startProgram } from '@core-dump-handler/testing/program'
import { realParts } from '../real-parts.ts'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import { until } from '@core-dump-handler/testing/until'
import { builtImage } from '../image/built-image.ts'

const AGENT = new URL('../../apps/agent/bin/agent.js', import.meta.url).pathname
const IMAGE_CACHE = new URL('../../image/dist/cache', import.meta.url).pathname
const FOREIGN = process.arch === 'x64' ? 'arm64' : 'x64'

realParts('a node that cannot run the composer', () => {
  test.for([
    [
      'noexec',
      'noexec',
      'SELF_TEST',
      /is on a file system mounted noexec; choose another HOST_DIR/,
    ],
    [
      'read-only',
      'ro',
      'DEPLOY',
      /host` is on a read-only file system; choose a directory that can/,
    ],
    ['full', 'size=4k,nr_inodes=4', 'DEPLOY', /host` is on a file system that is full; make room/],
  ] as const)(
    'reports a HOST_DIR that is %s in its readiness and keeps its settings',
    async ([, options, code, why]) => {
      const agent = newAgent()
      mkdirSync(agent.hostDir)
      const port = await freePorts()
      await withKernel(async (before) => {
        const mounted = `mount -t tmpfs -o ${options} none "$HOST_DIR" && exec "$@"`
        const daemon = startProgram(
          'unshare',
          ['--mount', 'sh', '-c', mounted, 'sh', process.execPath, AGENT],
          {
            log: join(agent.directory, 'agent.log'),
            env: {
              PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
              HOST_DIR: agent.hostDir,
              CORE_DIR: agent.coreDir,
              HEALTH_PORT: String(port),
            },
          },
        )
        try {
          await until('it says why', () => /cannot prepare this node/.test(daemon.output()))
          expect(daemon.output()).toContain(`"code":"${code}"`)
          expect(daemon.output()).toMatch(why)
          const ready = await fetch(`http://127.0.0.1:${port}/readyz`)
          expect(ready.status).toBe(503)
          expect(await ready.text()).toMatch(why)
          expect(coreSysctls()).toEqual(before)
        } finally {
          await daemon.stop()
        }
      })
    },
  )

  test('reports a missing loader', async () => {
    const { composer } = await builtImage()
    const hostDir = scratch()
    await deployExecutable(composer, hostDir)
    await selfTest({ hostDir, coreDir: hostDir })
    const libraries = join(
      hostDir,
      readdirSync(hostDir).find((name) => name.startsWith('lib-')) ?? '',
    )
    const loader = readdirSync(libraries).find((name) => name.startsWith('ld-')) ?? ''
    rmSync(join(libraries, loader))
    await expect(selfTest({ hostDir, coreDir: hostDir })).rejects.toThrow(
      /its loader or interpreter is missing/,
    )
  })

  test('reports another architecture [node-4]', async () => {
    const [architecture] = parseArchitectures(FOREIGN)
    if (architecture === undefined) throw new Error(`no such architecture: ${FOREIGN}`)
    const hostDir = scratch()
    copyFileSync(nodeBinary(architecture, IMAGE_CACHE).binary, join(hostDir, 'cdc'))
    await expect(selfTest({ hostDir, coreDir: hostDir })).rejects.toThrow(
      /it is made for another architecture/,
    )
  })
})

function scratch(): string {
  const directory = scratchDirectory()
  onTestFinished(() => removeScratch(directory))
  return directory
}

function newAgent(): Agent {
  const agent = new Agent()
  onTestFinished(() => agent.dispose())
  return agent
}
