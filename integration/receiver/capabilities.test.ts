import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ReadBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { crashBarrier, isWaiting } from '@core-dump-handler/testing/kernel/barrier'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { received } from '@core-dump-handler/testing/receiver/received'
import { until } from '@core-dump-handler/testing/until'
import { coreSockets } from './core-sockets.ts'

const USER = 1000

interface Victim {
  readonly env?: Readonly<Record<string, string>>
  /** Its program is deleted while it runs. @default true */
  readonly deleted?: boolean
}

/** What a receiver with these capabilities alone knows of a crash of another user. */
async function knownWith(
  capabilities: readonly string[],
  { env, deleted = true }: Victim = {},
): Promise<ReadBundle> {
  let pid = 0
  const receiver = await received(
    { INCLUDE_PROC_INFO: 'true', ...env },
    async (one) => {
      chmodSync(one.directory, 0o755)
      const program = join(one.directory, 'victim')
      copyFileSync(testProgram('crasher'), program)
      const barrier = crashBarrier(one.directory)
      const args = ['-l', '0', '-m', '20', ...barrier.hostArgs]
      // its core limit counts only where a test asks for that
      const run = ['-c', 'ulimit -c 0 && exec "$0" "$@"', program, ...args]
      const child = spawn('sh', run, { stdio: 'ignore', uid: USER, gid: USER })
      pid = child.pid ?? 0
      await until('it waits', () => isWaiting(pid))
      if (deleted) rmSync(program)
      const exit = once(child, 'exit')
      barrier.open()
      await exit
      await one.bundleOf(pid)
    },
    undefined,
    capabilities,
  )
  return receiver.bundleOf(pid)
}

coreSockets('a receiver with few capabilities', () => {
  test('stores the core and its owner without any, and reports what it cannot read', async () => {
    const { manifest } = await knownWith([], { deleted: false })
    expect(manifest).toMatchObject({ core: { complete: true }, identity: { status: 'host' } })
    expect(manifest.crash).not.toHaveProperty('exe')
    expect(manifest.crash).not.toHaveProperty('signal')
    expect(manifest.topFrame).toMatch(/^victim\+0x/)
    expect(manifest.problems.map(({ message }) => message).join()).toMatch(/auxv.*maps.*environ/)
  })

  test('knows program, signal and mappings with SYS_PTRACE, and no memory', async () => {
    const { manifest, entries } = await knownWith(['sys_ptrace'], { deleted: false })
    expect(manifest.crash).toMatchObject({
      signal: 11,
      exe: expect.stringMatching(/\/victim$/),
    })
    expect(manifest.topFrame).toBe('crash_here (victim)')
    expect(entries).toContain('-process/maps')
    expect(manifest.problems.map(({ message }) => message).join()).toMatch(/auxv.*environ/)
  })

  test('reads the memory of any process with DAC_READ_SEARCH, too', async () => {
    const whole = await knownWith(['sys_ptrace', 'dac_read_search'])
    expect(whole.manifest.problems).toEqual([])
    expect(whole.manifest.topFrame).toMatch(/^victim\+0x/)
    expect(whole.entries).toEqual(expect.arrayContaining(['-process/auxv', '-process/environ']))
    // of a core that is not wanted, the stack is in the memory alone
    const unwanted = { env: { HONOR_CORE_LIMIT: 'true' }, deleted: false }
    const blind = await knownWith(['sys_ptrace'], unwanted)
    expect(await framesOf(blind)).toBe(1)
    const seeing = await knownWith(['sys_ptrace', 'dac_read_search'], unwanted)
    expect(await framesOf(seeing)).toBeGreaterThan(1)
  })

  test('has names from a deleted program with CHECKPOINT_RESTORE, too', async () => {
    const all = ['sys_ptrace', 'dac_read_search', 'checkpoint_restore']
    expect((await knownWith(all)).manifest.topFrame).toBe('crash_here (victim)')
    const withoutSearch = await knownWith(['sys_ptrace', 'checkpoint_restore'])
    expect(withoutSearch.manifest.topFrame).toMatch(/^victim\+0x/)
  })
})

async function framesOf(bundle: ReadBundle): Promise<number> {
  return (await bundle.text('-report.txt')).match(/^#\d+ /gm)?.length ?? 0
}
