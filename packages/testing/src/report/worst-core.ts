// How much memory and time the largest core takes that is not cut: node --expose-gc worst-core.ts
import { setImmediate } from 'node:timers/promises'
import {
  bufferSource,
  CrashAnalysis,
  createMinicore,
  createReport,
  openCore,
  readWindows,
} from '@core-dump-handler/report'

const SEGMENTS = 100_000
const THREADS = 8000
const FILES = 30_000

/** As many segments, threads and files as fit, all of them of use. */
function worstCore(): Buffer {
  const table = Buffer.alloc((SEGMENTS + 1) * 56)
  const notes = Buffer.concat([
    ...Array.from({ length: THREADS }, (_, index) => note(1, status(index))),
    note(0x46494c45, fileNote()),
  ])
  const segment = (
    index: number,
    type: number,
    offset: number,
    vaddr: number,
    size: number,
  ): void => {
    const at = index * 56
    table.writeUInt32LE(type, at)
    table.writeUInt32LE(7, at + 4)
    table.writeBigUInt64LE(BigInt(offset), at + 8)
    table.writeBigUInt64LE(BigInt(vaddr), at + 16)
    table.writeBigUInt64LE(BigInt(size), at + 32)
    table.writeBigUInt64LE(4096n, at + 40)
  }
  segment(0, 4, 64 + table.length, 0, notes.length)
  // every segment is code and stack, and all have the same bytes: addresses behind a call
  const data = Buffer.alloc(4096, 0xe8)
  for (let at = 0; at < 4096; at += 8) data.writeBigUInt64LE(BigInt(0x100000 + at), at)
  const dataAt = 64 + table.length + notes.length
  for (let index = 1; index <= SEGMENTS; index++) {
    segment(index, 1, dataAt, 0x100000 + (index - 1) * 4096, 4096)
  }
  const header = Buffer.alloc(64)
  Buffer.from('7f454c46020101', 'hex').copy(header)
  header.writeUInt16LE(4, 16)
  header.writeUInt16LE(62, 18)
  header.writeBigUInt64LE(64n, 32)
  header.writeUInt16LE(56, 54)
  header.writeUInt16LE(0xffff, 56)
  return Buffer.concat([header, table, notes, data])
}

function note(type: number, desc: Buffer): Buffer {
  const head = Buffer.from('\x05\0\0\0\0\0\0\0\0\0\0\0CORE\0\0\0\0', 'latin1')
  head.writeUInt32LE(desc.length, 4)
  head.writeUInt32LE(type, 8)
  return Buffer.concat([head, desc])
}

function status(index: number): Buffer {
  const desc = Buffer.alloc(112 + 27 * 8)
  desc.writeInt32LE(index + 1, 32)
  desc.writeBigUInt64LE(BigInt(0x100000 + index * 8), 112 + 16 * 8)
  desc.writeBigUInt64LE(BigInt(0x100000 + index * 4096), 112 + 19 * 8)
  return desc
}

function fileNote(): Buffer {
  const numbers = new BigUint64Array(2 + FILES * 3)
  numbers.set([BigInt(FILES), 4096n])
  for (let index = 0; index < FILES; index++) {
    const start = BigInt(0x100000 + index * 3 * 4096)
    numbers.set([start, start + 4096n, 0n], 2 + index * 3)
  }
  const paths = Array.from({ length: FILES }, (_, index) => `/f${index}\0`).join('')
  return Buffer.concat([Buffer.from(numbers.buffer), Buffer.from(`${paths}\0\0\0`)]).subarray(
    0,
    Math.floor((numbers.length * 8 + paths.length + 3) / 4) * 4,
  )
}

/** What is freed by one collection is gone after the next ones. */
async function retainedBytes(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.()
    await setImmediate()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const core = worstCore()
const before = await retainedBytes()
const start = performance.now()
const opened = openCore(bufferSource(core))
if (opened === undefined) throw new Error('no core')
const memory = readWindows(opened.facts, opened.memory)
const analysis = new CrashAnalysis({ facts: opened.facts, memory })
analysis.unwindCrashingThread()
analysis.unwindAllThreads()
analysis.nameFrames()
const report = createReport(analysis)
const minicore = createMinicore(analysis)
const ms = performance.now() - start
// bufferSource copies nothing, so that windows are parts of the core
const bytes = (await retainedBytes()) - before - (minicore?.length ?? 0)
console.log(
  JSON.stringify({
    ms,
    bytes,
    coreBytes: core.length,
    threads: opened.facts.threads.length,
    stacks: analysis.stacks.length,
    skipped: report.skipped,
  }),
)
