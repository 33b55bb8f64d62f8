import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { coreSysctls, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import { coreSockets } from './core-sockets.ts'

const RECEIVER = new URL('../../apps/receiver/bin/receiver.js', import.meta.url).pathname
const NEEDED = ['sys_ptrace', 'sys_admin', 'sys_chroot'] as const

/** `core-dump-receiver set-pattern` as in a container: a mount namespace of its own, these capabilities alone. */
function setPattern(hostDir: string, capabilities: readonly string[]) {
  const set = ['-all', ...capabilities.map((name) => `+${name}`)].join()
  const limit = ['setpriv', '--bounding-set', set, '--inh-caps', set]
  const args = ['--mount', ...limit, process.execPath, RECEIVER, 'set-pattern']
  return execa('unshare', args, { env: { HOST_DIR: hostDir }, reject: false })
}

function newHostDir(): string {
  const directory = scratchDirectory()
  onTestFinished(() => removeScratch(directory))
  const hostDir = join(directory, 'host')
  mkdirSync(hostDir, { mode: 0o700 })
  return hostDir
}

coreSockets('an init container that sets the pattern', () => {
  test('enters the mount namespace of the node, and keeps the value that was there', async () => {
    const hostDir = newHostDir()
    const pattern = `@@${hostDir}/receiver.sock`
    await withKernel(async (before) => {
      const direct = `echo '${pattern}' > /proc/sys/kernel/core_pattern`
      expect(
        await execa('unshare', ['--mount', 'sh', '-c', direct], { reject: false }),
      ).toMatchObject({ failed: true })
      expect(coreSysctls()).toEqual(before)
      expect(await setPattern(hostDir, NEEDED)).toMatchObject({ exitCode: 0, stderr: '' })
      expect(coreSysctls()['kernel.core_pattern']).toBe(pattern)
      const backup = readFileSync(join(hostDir, 'core_pattern.bak'), 'utf8')
      expect(backup).toBe(before['kernel.core_pattern'])
      // after a restart of the pod
      expect(await setPattern(hostDir, [])).toMatchObject({ exitCode: 0 })
    })
  })

  test.for(NEEDED)('changes nothing without %s, and names what it needs', async (missing) => {
    await withKernel(async (before) => {
      const capabilities = NEEDED.filter((name) => name !== missing)
      expect(await setPattern(newHostDir(), capabilities)).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining('run this container privileged, or with SYS_PTRACE'),
      })
      expect(coreSysctls()).toEqual(before)
    })
  })
})
