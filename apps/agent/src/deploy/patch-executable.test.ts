import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { disableJit, isJitDisabled, JIT_OPTION } from './patch-executable.ts'

const POSTJECT = createRequire(import.meta.url).resolve('postject/dist/cli.js')
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'
// prctl(2): PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN: as a policy that denies execmem
const DENIED = `
import ctypes, os, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) != 0: sys.exit(77)
os.execv(sys.argv[1], sys.argv[1:])
`

/** This Node as a single executable that prints what it computes, with the option of the build. */
function singleExecutable(): string {
  const dir = mkdtempSync(join(tmpdir(), 'jit-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  writeFileSync(join(dir, 'main.cjs'), 'console.log(6 * 7)')
  const settings = { main: 'main.cjs', output: 'blob', execArgv: [JIT_OPTION] }
  writeFileSync(
    join(dir, 'sea.json'),
    JSON.stringify({ ...settings, disableExperimentalSEAWarning: true }),
  )
  execFileSync(process.execPath, ['--experimental-sea-config', 'sea.json'], {
    cwd: dir,
    stdio: 'pipe',
  })
  const path = join(dir, 'program')
  copyFileSync(process.execPath, path)
  chmodSync(path, 0o755)
  const args = [POSTJECT, path, 'NODE_SEA_BLOB', join(dir, 'blob'), '--sentinel-fuse', FUSE]
  execFileSync(process.execPath, args, { stdio: 'pipe' })
  return path
}

/** Runs `command` where the kernel denies memory that is executable and was written to. */
function runDenied(...command: string[]) {
  return spawnSync('python3', ['-c', DENIED, ...command], { encoding: 'utf8', cwd: tmpdir() })
}

// since Linux 6.3
test.skipIf(runDenied('/bin/true').status !== 0)(
  'G1: an executable runs where executable memory is denied once its JIT is disabled',
  { timeout: 120_000 },
  () => {
    const path = singleExecutable()
    expect(execFileSync(path, { encoding: 'utf8' })).toBe('42\n')
    expect(runDenied(path)).toMatchObject({ signal: 'SIGTRAP' })
    const fd = openSync(path, 'r+')
    expect(isJitDisabled(fd)).toBe(false)
    disableJit(fd)
    expect(isJitDisabled(fd)).toBe(true)
    closeSync(fd)
    expect(runDenied(path)).toMatchObject({ status: 0, stdout: '42\n' })
  },
)

test('G1: this Node, which has no such option, is refused and not taken for one without JIT', () => {
  const fd = openSync(process.execPath, 'r')
  onTestFinished(() => closeSync(fd))
  expect(isJitDisabled(fd)).toBe(false)
  expect(() => disableJit(fd)).toThrow(/cannot run without JIT/)
})
