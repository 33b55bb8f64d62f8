import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { coresByKernel } from '@core-dump-handler/testing/kernel/cores-by-kernel'
import { whyNoKernel } from '@core-dump-handler/testing/kernel/kernel'
import { compile } from './compile.ts'
import type { BenchOptions } from './options.ts'

const HERE = import.meta.dirname
const MADE = ['half-zero', 'compressible', 'random']
const DUMPED = ['c-core', 'node-core', 'node-heap']
// without a just-in-time compiler V8 does not reserve half a GiB for code, which is zeros in a core
const NODE_FLAGS: Readonly<Record<string, string[]>> = { 'node-heap': ['--jitless'] }

export type CoreOptions = Pick<BenchOptions, 'heapMib' | 'cores'>

/** Makes the cores to be drained, each one once. */
export class Cores {
  readonly #programs: string
  readonly #dir: string
  readonly #heapMib: number

  /** Compiles programs into `programs`; with `cores`, the cores are written there and stay. */
  constructor(programs: string, { heapMib, cores: keep }: CoreOptions) {
    this.#programs = programs
    this.#dir = resolve(keep ?? programs)
    this.#heapMib = heapMib
    mkdirSync(this.#dir, { recursive: true })
  }

  /** Path of a core of that kind, one that `availableKinds` returned. */
  async of(kind: string, mib: number): Promise<string> {
    if (kind.includes('/')) return kind
    const path = join(this.#dir, `${kind}-${hasOwnSize(kind) ? this.#heapMib : mib}.core`)
    if (existsSync(path)) return path
    if (MADE.includes(kind)) this.#make(kind, mib, path)
    else if (kind === 'c-core')
      await this.#dump([compile(this.#programs, 'crash-c'), `${mib}`], path)
    else {
      const flags = NODE_FLAGS[kind] ?? []
      const program = join(HERE, 'crash-node.mjs')
      await this.#dump([process.execPath, ...flags, program, `${this.#heapMib}`], path)
    }
    return path
  }

  /** Removes a core, unless it was given by its path or is to be kept. */
  drop(path: string): void {
    if (path.startsWith(this.#programs)) rmSync(path)
  }

  #make(kind: string, mib: number, path: string): void {
    const makeCore = compile(this.#programs, 'make-core')
    const fd = openSync(`${path}.part`, 'w')
    execFileSync(makeCore, [kind, `${mib}`, '1'], { stdio: ['ignore', fd, 'inherit'] })
    closeSync(fd)
    renameSync(`${path}.part`, path)
  }

  async #dump(command: readonly string[], path: string): Promise<void> {
    await coresByKernel(this.#dir, [{ command, path }])
  }
}

/** Kinds that have one size, whatever `--sizes` is: that of `--heap`, or of a given core. */
export function hasOwnSize(kind: string): boolean {
  return kind.includes('/') || kind.startsWith('node-')
}

/** The kinds available on this machine; for the others why not. */
export function availableKinds(kinds: readonly string[]): { present: string[]; missing: string[] } {
  const unknown = kinds.find((kind) => !kind.includes('/') && ![...MADE, ...DUMPED].includes(kind))
  if (unknown !== undefined) {
    const known = [...MADE, ...DUMPED].join(', ')
    throw new TypeError(`Expected --kinds to be of ${known}, or a path; got ${unknown}`)
  }
  const why = kinds.some((kind) => DUMPED.includes(kind)) ? whyNoKernel() : undefined
  if (why === undefined) return { present: [...kinds], missing: [] }
  const present = kinds.filter((kind) => !DUMPED.includes(kind))
  const missing = kinds.filter((kind) => DUMPED.includes(kind)).map((kind) => `${kind}: ${why}`)
  return { present, missing }
}
