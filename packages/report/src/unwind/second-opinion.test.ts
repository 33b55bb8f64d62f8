import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { euStackFrames } from '@core-dump-handler/testing/report/debuggers'
import { madeCore } from '@core-dump-handler/testing/report/made-core'
import { missingTools } from '@core-dump-handler/testing/report/programs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BlockCache, fileSource } from '../elf/byte-source.ts'
import { ElfFile } from '../elf/elf-file.ts'
import { bufferSource, CrashAnalysis, openCore, type Stack } from '../index.ts'
import { Budget } from './budget.ts'
import { createFrameIndex } from './frame-index.ts'

const missing = missingTools('eu-stack')
/** What the notes of one core have room for. */
const THREADS = 4000
const BASE = 0x7f0000000000
const MEMORY_AT = 0x10000000
const MEMORY_BYTES = 16 * 1024 * 1024
/** Numbers of registers in user_regs_struct. */
const [R15, R14, R13, R12, RBP, RBX, RIP, RSP] = [0, 1, 2, 3, 4, 5, 16, 19]
const LIBRARIES = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/lib64']

function find(name: string): string {
  const directory = LIBRARIES.find((path) => {
    try {
      return readdirSync(path).includes(name)
    } catch {
      return false
    }
  })
  return realpathSync(`${directory ?? LIBRARIES[0]}/${name}`)
}

const FILES = [
  { name: 'libc', path: find('libc.so.6') },
  { name: 'libstdc++', path: find('libstdc++.so.6') },
  { name: 'node', path: realpathSync(process.execPath) },
]
/** More than 100,000 descriptions of node take a minute of one CPU. */
const SLOW = { timeout: 600_000 }

/** Every word has its own address, so that a return address shows from where it was read. */
function ownAddresses(): Buffer {
  const bytes = Buffer.alloc(MEMORY_BYTES)
  for (let at = 0; at < bytes.length; at += 8) bytes.writeUInt32LE(MEMORY_AT + at, at)
  return bytes
}

/** A process with one thread at each of these places of a file; their stacks and registers do not overlap. */
function coreAt(places: readonly number[], elf: ElfFile, path: string, memory: Buffer): Buffer {
  const bias = BASE - (elf.loads[0]?.vaddr ?? 0)
  const end = Math.max(...elf.loads.map(({ vaddr, memsz }) => vaddr + memsz))
  const size = Math.ceil(end / 4096) * 4096
  const threads = places.map((vaddr, index) => {
    const at = MEMORY_AT + 65_536 + index * 2048
    const others = [RBP, RBX, R12, R13, R14, R15].map((register, place): [number, number] => [
      register,
      at + MEMORY_BYTES / 2 + place * 64,
    ])
    return new Map([[RIP, bias + vaddr], [RSP, at], ...others])
  })
  return madeCore({
    threads,
    segments: [
      { vaddr: MEMORY_AT, flags: 7, bytes: memory },
      { vaddr: BASE, flags: 5, bytes: elf.source.read(0, 4096), memoryBytes: size },
    ],
    files: [{ start: BASE, end: BASE + size, offset: 0, path }],
    auxv: [
      [3, BASE + 64],
      [9, bias + elf.header.entry],
    ],
  })
}

/** Where the caller of the innermost frame is, by the unwind table alone. */
function callerOf(stack: Stack | undefined): string {
  const frame = stack?.frames[1]
  if (frame === undefined) return stack?.isComplete === true ? 'none' : 'unknown'
  return frame.trust === 'cfi' || frame.trust === 'signal'
    ? `0x${frame.pc.toString(16)}`
    : 'unknown'
}

/** Addresses of the first instruction of each description, and of one in its middle or at its end. */
function placesOf(elf: ElfFile): number[] {
  const header = elf.ehFrameHeader
  const head = header && elf.source.read(header.offset, 12)
  const table = header && elf.source.read(header.offset + 12, (head?.readUInt32LE(8) ?? 0) * 8)
  if (header === undefined || table === undefined) return []
  const index = createFrameIndex(elf)
  const budget = new Budget({ timeoutMs: 60_000 })
  const places: number[] = []
  for (let at = 0; at < table.length; at += 8) {
    const start = header.vaddr + table.readInt32LE(at)
    const end = index.find(start, budget)?.end ?? start + 1
    const half = start + Math.floor((end - start) / 2)
    places.push([start, half, end - 1][(at / 8) % 3] ?? start)
  }
  return places
}

describe.skipIf(missing !== undefined || process.arch !== 'x64')(
  `unwind tables, by a second opinion${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let directory: string
    const memory = ownAddresses()
    beforeAll(() => {
      directory = mkdtempSync(join(tmpdir(), 'report-opinion-'))
    })
    afterAll(() => rmSync(directory, { recursive: true, force: true }))

    it.for(FILES)('of $name lead to the same callers as those of elfutils', SLOW, ({ path }) => {
      const fd = openSync(path, 'r')
      const elf = ElfFile.open(fileSource(fd, new BlockCache()))
      if (elf === undefined) throw new Error(`${path} is no ELF file`)
      const places = placesOf(elf)
      let compared = 0
      const different: unknown[] = []
      for (let from = 0; from < places.length; from += THREADS) {
        const part = places.slice(from, from + THREADS)
        const core = coreAt(part, elf, path, memory)
        const file = join(directory, 'core')
        writeFileSync(file, core)
        const opened = openCore(bufferSource(core))
        if (opened === undefined) throw new Error('no core')
        const budget = { timeoutMs: 60_000, maxWork: Infinity }
        const analysis = new CrashAnalysis({ ...opened, openModule: () => fd, budget })
        analysis.unwindAllThreads()
        const theirs = new Map(euStackFrames(path, file).map(({ tid, pcs }) => [tid, pcs]))
        for (const [index, stack] of analysis.stacks.entries()) {
          const [ours, found] = [callerOf(stack), theirs.get(100 + index)?.[1]]
          if (ours === 'unknown') continue
          compared++
          const isSame = ours === 'none' ? found === undefined : found === ours
          if (!isSame) different.push({ vaddr: part[index]?.toString(16), ours, theirs: found })
        }
      }
      closeSync(fd)
      expect(different).toEqual([])
      // the rest has no return address by its table
      expect(compared / places.length).toBeGreaterThan(0.99)
      expect(places.length).toBeGreaterThan(3000)
    })
  },
)
