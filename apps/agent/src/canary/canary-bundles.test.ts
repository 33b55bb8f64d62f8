import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeRecord } from '@core-dump-handler/bundle'
import { describe, expect } from 'vitest'
import { freePort } from '@core-dump-handler/testing/agent/free-port'
import { test, type ScratchNode } from '@core-dump-handler/testing/agent/scratch-node'
import { rememberCanary } from './canary-bundles.ts'

const bundle = async (node: ScratchNode, name: string, comm: string): Promise<string> =>
  writeRecord(node.coreDir, {
    name,
    reason: 'r',
    reasonCode: 'EMPTY',
    dumpInfo: '{}',
    manifest: {
      composer: '0.1.0',
      crash: { time: '2026-01-01T00:00:00Z', comm },
      identity: { status: 'host' },
      timings: { heldMs: 1, lookupMs: 0, totalMs: 1 },
      problems: [],
    },
  })

describe('removeLeftOverCanaries', () => {
  test('G2: the left-over of a canary is never uploaded as a crash', async ({ node }) => {
    // an agent has been here, and lost power while its canary crashed
    await (await node.daemon({ USE_INOTIFY: 'false' })).kill('SIGKILL')
    await rememberCanary(node.hostDir, 'canary-0123abcd')
    await bundle(node, 'left-over', 'canary-0123abcd')
    await writeFile(join(node.coreDir, '.x-canary-0123abcd-1.zip.part'), 'PK')
    // a process that chose such a name for its crash
    await bundle(node, 'crash', 'canary-ffffffff')

    const agent = await node.daemon()
    await agent.line(/crash\.zip.*stored and verified/)
    await agent.kill('SIGTERM')
    expect(await node.list(node.destination)).toEqual(['crash.zip'])
    expect(await node.list(node.coreDir)).toEqual([])
    expect(await node.list()).not.toContain('.canary')
  })

  test('G2: a bundle of a canary that comes late is neither uploaded nor counted', async ({
    node,
  }) => {
    await (await node.daemon({ USE_INOTIFY: 'false' })).kill('SIGKILL')
    await rememberCanary(node.hostDir, 'canary-0123abcd')
    await rememberCanary(node.hostDir, 'canary-89abcdef')
    const port = await freePort()
    const agent = await node.daemon({ HEALTH_PORT: String(port) })
    await agent.line(/uploading bundles/)
    await bundle(node, 'late', 'canary-0123abcd')
    await bundle(node, 'crash', 'web')
    await agent.line(/late\.zip.*deleted the late bundle/)
    await agent.line(/crash\.zip.*stored and verified/)
    expect(await node.list(node.destination)).toEqual(['crash.zip'])
    expect(await node.list(node.coreDir)).toEqual([])
    expect(await readFile(join(node.hostDir, '.canary'), 'utf8')).toBe('canary-89abcdef\n')
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(metrics).toMatch(/core_dump_crashes_total\{outcome="no_core",[^}]*\} 1\n/)
  })

  test('G2: `remove` deletes the list of canaries', async ({ node }) => {
    await (await node.daemon({ USE_INOTIFY: 'false' })).kill('SIGKILL')
    await rememberCanary(node.hostDir, 'canary-0123abcd')
    expect(await node.agent(['remove']).ended).toBe(0)
    expect(await node.list()).toEqual([])
  })
})
