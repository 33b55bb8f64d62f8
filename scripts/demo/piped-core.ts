import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { basename, join } from 'node:path'
import { ROOT } from '../set-up/root.mjs'
import { runAgent } from './agent.ts'
import { objectIn } from './bucket.ts'
import { DemoError, say } from './say.ts'
import type { Scratch } from './scratch.ts'
import { type Crash, crash } from './victim.ts'

const COMPOSER = join(ROOT, 'apps/composer/bin/composer.js')

/** The same chain without the kernel's help: a core piped into the composer, the agent told to sweep. */
export async function carryPipedCore(scratch: Scratch, signal: AbortSignal): Promise<string> {
  const victim = await crash(scratch.root)
  const core = obtainCore(victim, scratch)
  signal.throwIfAborted()
  await compose(core, victim, scratch)
  say('the composer made a bundle of it')
  signal.throwIfAborted()
  await runAgent(['sweep'], scratch)
  const object = objectIn(scratch)
  if (object === undefined) throw new DemoError(`No object in ${scratch.bucket} after the sweep`)
  say('the agent carried the bundle to the destination, verified it and cleaned up')
  return object
}

/** A real core where the kernel leaves one in the working directory, else the smallest ELF that is one. */
function obtainCore({ program, pid, signal }: Crash, { root }: Scratch): string {
  const files = readdirSync(root, { withFileTypes: true }).filter((each) => each.isFile())
  const name = files.find((each) => each.name.startsWith('core'))?.name
  const path = join(root, name ?? 'core')
  if (name === undefined) writeFileSync(path, smallestCore())
  const core = name === undefined ? 'its core went elsewhere: taking a made-up one' : 'left a core'
  say(`${program} (pid ${pid}) ended by ${signal}, ${core}`)
  return path
}

/** ELF header, one program header, one page: elf(5), type ET_CORE. */
function smallestCore(): Buffer {
  const page = 4096
  const core = Buffer.alloc(2 * page)
  core.write('\x7fELF\x02\x01\x01', 'latin1')
  core.writeUInt16LE(4, 16) // e_type: ET_CORE
  core.writeUInt16LE(62, 18) // e_machine: EM_X86_64
  core.writeUInt32LE(1, 20) // e_version
  core.writeBigUInt64LE(64n, 32) // e_phoff
  core.writeUInt16LE(64, 52) // e_ehsize
  core.writeUInt16LE(56, 54) // e_phentsize
  core.writeUInt16LE(1, 56) // e_phnum
  core.writeUInt32LE(1, 64) // p_type: PT_LOAD
  core.writeBigUInt64LE(BigInt(page), 72) // p_offset
  core.writeBigUInt64LE(BigInt(page), 96) // p_filesz
  core.writeBigUInt64LE(BigInt(page), 104) // p_memsz
  return core
}

/** What the kernel would have said on the command line goes there by hand. */
async function compose(core: string, victim: Crash, { coreDir }: Scratch): Promise<void> {
  const facts = [
    `--exe-name=${basename(victim.program)}`,
    `--pathname=${victim.program.replaceAll('/', '!')}`,
    `--signal=${constants.signals[victim.signal as NodeJS.Signals] ?? ''}`,
    `--pid=${victim.pid}`,
  ]
  const input = openSync(core, 'r')
  const child = spawn(process.execPath, [COMPOSER, '--dir', coreDir, ...facts], {
    stdio: [input, 'ignore', 'pipe'],
  })
  closeSync(input)
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (complaint += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new DemoError(`The composer ended with ${code}:\n${complaint}`)
}
