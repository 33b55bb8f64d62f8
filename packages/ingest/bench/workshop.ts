import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'

const HERE = import.meta.dirname

/** Programs and inputs of one run, in a directory that is removed at its end. */
export interface Workshop extends Disposable {
  readonly dir: string
  /** Feeds a file to a command as the kernel does. */
  readonly feeder: string
  /** The drain as a process. */
  readonly drainProcess: string
  /** Path of a core of that kind, made once. */
  core(kind: string, mib: number): string
}

export async function openWorkshop(parent: string = tmpdir()): Promise<Workshop> {
  mkdirSync(parent, { recursive: true })
  const dir = mkdtempSync(join(parent, 'ingest-bench-'))
  try {
    const feeder = compile(dir, 'feeder')
    const makeCore = compile(dir, 'make-core')
    const drainProcess = await bundle(dir)
    const core = (kind: string, mib: number): string => {
      const path = join(dir, `${kind}-${mib}.core`)
      if (statSync(path, { throwIfNoEntry: false }) !== undefined) return path
      const fd = openSync(path, 'wx')
      execFileSync(makeCore, [kind, `${mib}`, '1'], { stdio: ['ignore', fd, 'inherit'] })
      closeSync(fd)
      return path
    }
    const remove = (): void => rmSync(dir, { recursive: true, force: true })
    process.once('SIGINT', () => {
      remove()
      process.exit(130)
    })
    return { dir, feeder, drainProcess, core, [Symbol.dispose]: remove }
  } catch (error) {
    rmSync(dir, { recursive: true })
    throw error
  }
}

function compile(dir: string, name: string): string {
  const program = join(dir, name)
  const source = join(HERE, `${name}.c`)
  execFileSync('cc', ['-O2', '-w', '-o', program, source], { stdio: 'inherit' })
  return program
}

/** One file without type stripping at its start, as what is installed on a node. */
async function bundle(dir: string): Promise<string> {
  const outfile = join(dir, 'drain-process.mjs')
  await build({
    entryPoints: [join(HERE, 'drain-process.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@core-dump-handler/source'],
  })
  return outfile
}
