import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const ARGS = ['-c=0', '-e=web', '-s=11', '-t=1700000000', '-h=web-1', '-E=!usr!bin!web']

/** A composer as it is deployed in `hostDir`, writing into `coreDir`; its stdin is the caller's. */
export function startComposer(
  hostDir: string,
  coreDir: string,
  pid: number,
  env: NodeJS.ProcessEnv = {},
): ChildProcess & { stdin: NonNullable<ChildProcess['stdin']> } {
  const composer = spawn(join(hostDir, 'cdc'), [...ARGS, `-p=${pid}`], {
    env: { CORE_DIR: coreDir, IGNORE_CRIO: 'true', ...env },
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  // it is killed while we write
  composer.stdin.on('error', () => undefined)
  return composer
}

/** Feeds `core` slowly and kills the composer when `bytes` of it are in the pipe, after `waitMs` more. */
export async function feedAndKill(
  composer: ReturnType<typeof startComposer>,
  core: Buffer,
  { bytes, waitMs }: { readonly bytes: number; readonly waitMs: number },
): Promise<void> {
  let drained: (() => void) | undefined
  composer.stdin.on('drain', () => drained?.()).on('close', () => drained?.())
  for (let at = 0; at < bytes && !composer.stdin.destroyed; at += 64 * 1024) {
    const more = composer.stdin.write(core.subarray(at, Math.min(at + 64 * 1024, bytes)))
    if (!more) await new Promise<void>((resolve) => (drained = resolve))
  }
  if (bytes === core.length) composer.stdin.end()
  await sleep(waitMs)
  await killed(composer)
}

export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** The image of a core: an ELF header that promises its length, then runs of zeros, text and noise. */
export function coreImage(bytes: number): Buffer {
  const core = Buffer.alloc(bytes)
  core.write('\x7fELF\x02\x01\x01', 0, 'latin1')
  core.writeUInt16LE(4, 16) // ET_CORE
  core.writeBigUInt64LE(64n, 32) // e_phoff
  core.writeUInt16LE(56, 54) // e_phentsize
  core.writeUInt16LE(1, 56) // e_phnum
  core.writeUInt32LE(1, 64) // PT_LOAD
  core.writeBigUInt64LE(120n, 72) // p_offset
  core.writeBigUInt64LE(BigInt(bytes - 120), 96) // p_filesz
  const run = 100_000
  for (let at = run; at + run <= bytes; at += 3 * run) {
    core.write('GET /api/v1/pods trace_id='.repeat(4000), at, run, 'latin1')
    randomBytes(run).copy(core, at + run)
  }
  return core
}
