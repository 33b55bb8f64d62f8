import { spawn } from 'node:child_process'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { koffiModule } from '@core-dump-handler/ingest'
import { afterAll, test as base } from 'vitest'

// the program as it is deployed, made once for each test file
const built = await mkdtemp(join(tmpdir(), 'composer-built-'))
afterAll(() => rm(built, { recursive: true, force: true }))

/** The program: one file that Node runs. */
export const MAIN: string = join(built, 'composer.cjs')
// the composer's own build is for this repository alone: its package does not export it
const build: unknown = await import(
  new URL('build/bundle.ts', import.meta.resolve('@core-dump-handler/composer/package.json')).href
)
if (!hasBundleComposer(build)) throw new Error('the build of the composer has no `bundleComposer`')
await build.bundleComposer(MAIN)
await copyFile(koffiModule() ?? '', join(built, 'koffi.node'))

function hasBundleComposer(
  module: unknown,
): module is { bundleComposer(outfile: string): Promise<void> } {
  return typeof module === 'object' && module !== null && 'bundleComposer' in module
}

export interface RunOptions {
  readonly args?: readonly (string | Buffer)[]
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** The whole core; without one, stdin stays open for the caller. */
  readonly core?: Uint8Array
  /** @default MAIN */
  readonly main?: string
}

export interface Running {
  readonly pid: number
  readonly stdin: Writable
  readonly kill: (signal: NodeJS.Signals) => void
  readonly ended: Promise<Ended>
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The program as a child with an environment of its own. */
export function startComposer({
  args = [],
  env = {},
  cwd,
  core,
  main = MAIN,
}: RunOptions = {}): Running {
  const node = [process.execPath, main]
  // Node passes arguments as UTF-8 only: other bytes go through a shell's quoting
  const raw = args.some((arg) => typeof arg !== 'string')
  const [command = '', ...rest] = raw
    ? ['/bin/bash', '-c', `exec "$0" "$@" ${args.map(quoteBytes).join(' ')}`, ...node]
    : [...node, ...args.map(String)]
  const child = spawn(command, rest, { env: { ...env }, cwd, stdio: 'pipe' })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  // in some tests the composer stops reading
  child.stdin.on('error', () => {})
  if (core !== undefined) child.stdin.end(core)
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return { pid: child.pid ?? 0, stdin: child.stdin, kill: (signal) => child.kill(signal), ended }
}

function quoteBytes(arg: string | Buffer): string {
  const octal = [...Buffer.from(arg)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`)
  return `$'${octal.join('')}'`
}

export function runComposer(options: RunOptions): Promise<Ended> {
  return startComposer(options).ended
}

/** A scratch directory for each test, removed after it. */
export const test = base.extend<{ dir: string }>({
  // oxlint-disable-next-line no-empty-pattern -- vitest reads the parameter list
  dir: async ({}, use) => {
    const dir = await mkdtemp(join(tmpdir(), 'composer-'))
    await use(dir)
    await rm(dir, { recursive: true, force: true })
  },
})
