import { type ChildProcess, spawn } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Agent } from './agent.ts'

const ARGS = ['-c=0', '-e=web', '-p=1', '-s=11', '-t=1700000000', '-h=', '-E=!usr!bin!web']
const CHUNK_BYTES = 64 * 1024

/** The composer that an agent deployed, with a core on its stdin at the speed of the test. */
export class FedComposer {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  #output = ''
  #releasedMs: number | undefined

  constructor(agent: Agent, env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(join(agent.hostDir, 'cdc'), ARGS, {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    this.#child.stdout?.on('data', (bytes: Buffer) => (this.#output += bytes.toString()))
    // it is killed during a write
    this.#child.stdin?.on('error', () => undefined)
    this.#ended = once(this.#child, 'close')
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Milliseconds from the first byte until it has read all. */
  get releasedMs(): number {
    return this.#releasedMs ?? Infinity
  }

  /** Write `core`; resolves once the composer has read it, or has ended. */
  async feed(core: Buffer): Promise<void> {
    const { stdin } = this.#child
    const started = performance.now()
    for (let at = 0; at < core.length; at += CHUNK_BYTES) {
      if (stdin === null || stdin.destroyed) return
      const more = stdin.write(core.subarray(at, at + CHUNK_BYTES))
      if (!more) await Promise.race([once(stdin, 'drain'), this.#ended])
    }
    this.#releasedMs = performance.now() - started
  }

  /** End the core; resolves with exit code or signal, and the path that it prints. */
  async end(): Promise<{ readonly exit: number | string | null; readonly path: string }> {
    this.#child.stdin?.end()
    await this.#ended
    return { exit: this.#child.exitCode ?? this.#child.signalCode, path: this.#output.trim() }
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}

/** A core that does not compress: random bytes after a header with their number. */
export function noisyCore(bytes: number): Buffer {
  const core = randomFillSync(Buffer.alloc(bytes))
  core.fill(0, 0, 120)
  core.write('\u007fELF\u0002\u0001\u0001', 0, 'latin1')
  core.writeUInt16LE(4, 16) // ET_CORE
  core.writeBigUInt64LE(64n, 32) // e_phoff
  core.writeUInt16LE(56, 54) // e_phentsize
  core.writeUInt16LE(1, 56) // e_phnum
  core.writeUInt32LE(1, 64) // PT_LOAD
  core.writeBigUInt64LE(120n, 72) // p_offset
  core.writeBigUInt64LE(BigInt(bytes - 120), 96) // p_filesz
  return core
}
