import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { runDebugger } from './debugger.ts'

/** Exit codes by which the programs are told apart. */
const GDB = 8
const MULTIARCH = 7

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cdh-debugger-'))
  vi.stubEnv('PATH', directory)
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(directory, { recursive: true })
})

function install(name: string, exitCode: number): void {
  const path = join(directory, name)
  writeFileSync(path, `#!/bin/sh\n[ "$1" = --version ] || exit ${exitCode}\n`)
  chmodSync(path, 0o755)
}

function run(options: { foreignArchitecture?: string } = {}): Promise<number> {
  const core = join(directory, 'core')
  const places = { core, directory, sourceDirectory: directory }
  return runDebugger({ kind: 'gdb', ...places, useDebuginfod: false, rest: [], ...options })
}

it('runs gdb-multiarch for a core of another architecture', async () => {
  install('gdb', GDB)
  install('gdb-multiarch', MULTIARCH)
  expect(await run({ foreignArchitecture: 'arm64' })).toBe(MULTIARCH)
  expect(await run()).toBe(GDB)
})

it('runs gdb where gdb-multiarch is not installed: that of most distributions knows all', async () => {
  install('gdb', GDB)
  expect(await run({ foreignArchitecture: 'arm64' })).toBe(GDB)
})
