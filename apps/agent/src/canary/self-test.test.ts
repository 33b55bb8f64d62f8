import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { selfTest } from './self-test.ts'

const directories = (hostDir: string) => ({ hostDir, coreDir: join(hostDir, 'cores') })

async function composer(content: string, mode = 0o700): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'self-test-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  await writeFile(join(dir, 'cdc'), content)
  await chmod(join(dir, 'cdc'), mode)
  return dir
}

test('a composer that runs passes', async () => {
  await selfTest(
    directories(await composer('#!/bin/sh\ntest "$1" = --self-test && test -z "$HOME"')),
  )
})

test.for([
  [
    'prints what is wrong',
    '#!/bin/sh\necho "ok  a"; echo "not ok  b: c"; exit 1',
    0o700,
    /with 1: not ok {2}b: c$/,
  ],
  ['dies', '#!/bin/sh\nkill -9 $$', 0o700, /with SIGKILL/],
  ['has no interpreter', '#!/nowhere/node\n', 0o700, /loader or interpreter is missing/],
  ['is for another machine', '\x7fELF\x02\x01\x01', 0o700, /another architecture/],
  ['may not be executed', '#!/bin/sh\n', 0o600, /EACCES: SELinux, AppArmor.*ausearch -m AVC/],
  [
    'may not write [G4, G8]',
    '#!/bin/sh\necho "not ok  output: EACCES: permission denied"; exit 1',
    0o700,
    /EACCES: permission denied; the kernel's log .*audit log.*ausearch -m AVC/,
  ],
  ['has no executable memory [G8]', '#!/bin/sh\nkill -TRAP $$', 0o700, /SIGTRAP: .*ausearch/],
] as const)('one that %s does not, with the cause', async ([, content, mode, message]) => {
  const attempt = selfTest(directories(await composer(content, mode)))
  await expect(attempt).rejects.toMatchObject({ name: 'AgentError', code: 'SELF_TEST' })
  await expect(attempt).rejects.toThrow(message)
})

test('a file system mounted noexec is named', async ({ skip }) => {
  const dir = await mkdtemp(join(tmpdir(), 'self-test-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const script = `
    import { writeFileSync } from 'node:fs'
    import { selfTest } from ${JSON.stringify(join(import.meta.dirname, 'self-test.ts'))}
    writeFileSync(${JSON.stringify(join(dir, 'cdc'))}, '#!/bin/sh\\n', { mode: 0o700 })
    await selfTest(${JSON.stringify(directories(dir))}).catch((error) => process.stdout.write(error.message))`
  // a mount of a throw-away namespace: it goes with the process
  const args = [
    '--mount',
    'sh',
    '-c',
    'mount -t tmpfs -o noexec none "$0" && exec "$@"',
    dir,
  ].concat([process.execPath, '--input-type=module', '-e', script])
  const { stdout } = await promisify(execFile)('unshare', args).catch((error: unknown) => {
    if (process.getuid?.() === 0 && !/ENOENT/.test(String(error))) throw error
    return skip('needs root and util-linux unshare')
  })
  expect(stdout).toMatch(/is on a file system mounted noexec; choose another HOST_DIR/)
})
