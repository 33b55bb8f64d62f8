import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import { coreSysctls, setCoreSysctls, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { realParts } from '../real-parts.ts'

realParts('remove', () => {
  const found = {
    'kernel.core_pattern': '|/bin/false %p',
    'kernel.core_pipe_limit': '7',
    'fs.suid_dumpable': '1',
  } as const

  test('restores the values from before a kill -9 and a start with other directories [B2]', async () => {
    const first = newAgent()
    const second = newAgent()
    await withKernel(async () => {
      setCoreSysctls(found)
      await first.start()
      expect(coreSysctls()).toMatchObject({
        'kernel.core_pipe_limit': '128',
        'fs.suid_dumpable': '2',
      })
      await first.daemon.stop('SIGKILL')
      await second.start()
      expect(await second.command('remove')).toMatchObject({ code: 0 })
      expect(coreSysctls()).toEqual(found)
      // the first agent's preStop may come late
      expect(await first.command('remove')).toMatchObject({ code: 0 })
      expect(coreSysctls()).toEqual(found)
      await second.daemon.stop()
    })
    for (const agent of [first, second]) {
      expect(existsSync(join(agent.hostDir, 'cdc'))).toBe(false)
      expect(existsSync(join(agent.hostDir, '.env'))).toBe(false)
      expect(readdirSync(agent.hostDir).filter((name) => name.endsWith('.bak'))).toEqual([])
    }
  })

  test('restores the first values after a restart, and again when it is called twice', async () => {
    const agent = newAgent()
    await withKernel(async (before) => {
      await agent.start()
      await agent.daemon.stop('SIGKILL')
      agent.set({ SUID_DUMPABLE: '1' })
      await agent.start()
      await agent.daemon.stop()
      const backup = readFileSync(join(agent.hostDir, 'core_pattern.bak'), 'utf8')
      expect(backup).toBe(before['kernel.core_pattern'])
      expect(await agent.command('remove')).toMatchObject({ code: 0 })
      expect(await agent.command('remove')).toMatchObject({ code: 0 })
      expect(coreSysctls()).toEqual(before)
    })
  })

  test('is replaced by the documented commands on a node without the agent', async () => {
    const agent = newAgent()
    const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
    const [, script = ''] = /without any of our programs:\n+```sh\n(.*?)```/s.exec(text) ?? []
    expect(script).toContain('cd /var/mnt/core-dump-handler')
    await withKernel(async (before) => {
      await agent.start()
      await agent.daemon.stop('SIGKILL')
      for (const _ of ['first', 'again']) {
        const commands = script.replace('/var/mnt/core-dump-handler', agent.hostDir)
        await execa('/bin/sh', ['-ec', commands])
        expect(coreSysctls()).toEqual(before)
        expect(readdirSync(agent.hostDir)).toEqual([])
      }
    })
  })

  test('keeps bundles that are not uploaded', async () => {
    const agent = newAgent()
    await withKernel(async () => {
      await agent.start()
      await agent.daemon.stop()
      writeFileSync(join(agent.coreDir, 'waiting.zip'), 'not yet carried')
      expect(await agent.command('remove')).toMatchObject({ code: 0 })
    })
    expect(agent.waiting).toEqual(['waiting.zip'])
  })
})

function newAgent(): Agent {
  const agent = new Agent({ INTERVAL: '60000' })
  agent.set({ DESTINATION: `file:${agent.directory}/out` })
  onTestFinished(() => agent.dispose())
  return agent
}
