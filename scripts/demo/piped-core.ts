import { readdirSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { basename, join } from 'node:path'
import { execa } from 'execa'
import { ROOT } from '../set-up/root.mjs'
import { runAgent } from './agent.ts'
import { DemoError, say } from './say.ts'
import { objectIn, type Scratch } from './scratch.ts'
import { type Crash, crash } from './crash.ts'

const COMPOSER = join(ROOT, 'apps/composer/bin/composer.js')

/** The same path without the kernel: a core is piped into the composer, and `core-dump-agent sweep` uploads. */
export async function followPipedCore(scratch: Scratch, signal: AbortSignal): Promise<string> {
  const crashed = await crash(scratch.root)
  const core = obtainCore(crashed, scratch)
  signal.throwIfAborted()
  await compose(core, crashed, scratch)
  say('the composer made a bundle of it')
  signal.throwIfAborted()
  await runAgent(['sweep'], scratch)
  const object = objectIn(scratch)
  if (object === undefined) throw new DemoError(`No object in ${scratch.bucket} after the sweep`)
  say('the agent uploaded the bundle to the destination, verified it and deleted it here')
  return object
}

/** A real core where the kernel writes it to the working directory, else the smallest ELF core. */
function obtainCore({ program, pid, signal }: Crash, { root }: Scratch): string {
  const files = readdirSync(root, { withFileTypes: true }).filter((each) => each.isFile())
  const name = files.find((each) => each.name.startsWith('core'))?.name
  const path = join(root, name ?? 'core')
  if (name === undefined) writeFileSync(path, smallestCore())
  const core =
    name === undefined ? 'its core was not written here: using a made-up one' : 'left a core'
  say(`${program} (pid ${pid}) ended by ${signal ?? 'itself'}, ${core}`)
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

/** Run the composer with the arguments that the kernel would give it. */
async function compose(core: string, crashed: Crash, { coreDir }: Scratch): Promise<void> {
  const facts = [
    `--exe-name=${basename(crashed.program)}`,
    `--pathname=${crashed.program.replaceAll('/', '!')}`,
    `--signal=${crashed.signal === undefined ? '' : constants.signals[crashed.signal]}`,
    `--pid=${crashed.pid}`,
  ]
  const { exitCode, stderr } = await execa(
    process.execPath,
    [COMPOSER, '--dir', coreDir, ...facts],
    { inputFile: core, stdout: 'ignore', reject: false },
  )
  if (exitCode !== 0) throw new DemoError(`The composer ended with ${exitCode}:\n${stderr}`)
}
