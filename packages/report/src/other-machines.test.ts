import { coreImage } from '@core-dump-handler/testing/core-image'
import { madeCore } from '@core-dump-handler/testing/report/made-core'
import { describe, expect, it } from 'vitest'
import {
  bufferSource,
  CoreStream,
  CrashAnalysis,
  createMinicore,
  createReport,
  formatReport,
  openCore,
  type CoreFile,
} from './index.ts'

const CODE_AT = 0x10000
const BUILD_ID = 'aa'.repeat(20)
const MACHINES = [
  { name: 'i386', bits: 32, byteOrder: 'little', machine: 3 },
  { name: 'arm', bits: 32, byteOrder: 'little', machine: 40 },
  { name: 'ppc', bits: 32, byteOrder: 'big', machine: 20 },
  { name: 's390x', bits: 64, byteOrder: 'big', machine: 22 },
  { name: 'riscv64', bits: 64, byteOrder: 'little', machine: 243 },
  { name: 'x86-64 in another byte order', bits: 64, byteOrder: 'big', machine: 62 },
] as const

type Machine = (typeof MACHINES)[number]

/** The first page of a program with one PT_NOTE, which has its build-id. */
function firstPage({ bits, byteOrder }: Machine): Buffer {
  const note = Buffer.alloc(36, 0xaa)
  const numbers = [4, 20, 3]
  numbers.forEach((value, index) =>
    byteOrder === 'little'
      ? note.writeUInt32LE(value, index * 4)
      : note.writeUInt32BE(value, index * 4),
  )
  note.write('GNU\0', 12)
  const image = coreImage({ bits, byteOrder, segments: [note.length] })
  note.copy(image, image.length - note.length)
  return Buffer.concat([image, Buffer.alloc(4096 - image.length)])
}

function coreOf(machine: Machine): Buffer {
  return madeCore({
    ...machine,
    threads: [new Map(), new Map()],
    segments: [{ vaddr: CODE_AT, flags: 5, bytes: firstPage(machine) }],
    files: [{ start: CODE_AT, end: CODE_AT + 4096, offset: 0, path: '/usr/bin/made' }],
    auxv: [[9, CODE_AT + 64]],
  })
}

function streamed(core: Buffer): CoreFile | undefined {
  const stream = new CoreStream()
  stream.push(Buffer.from(core))
  const facts = stream.facts()
  return facts && { facts, memory: stream.memory() }
}

describe('a core of a machine that is not unwound', () => {
  it.for(MACHINES)('gives signal, program, threads and build-ids: $name', (machine) => {
    const core = openCore(bufferSource(coreOf(machine)))
    expect(core?.facts).toMatchObject({
      bits: machine.bits,
      machine: machine.machine,
      problems: [],
    })
    expect(core?.facts.littleEndian).toBe(machine.byteOrder === 'little')
    expect(core?.facts.threads.map(({ tid }) => tid)).toEqual([100, 101])
    if (core === undefined) return
    const analysis = new CrashAnalysis(core)
    expect(analysis.unwindCrashingThread()).toBeUndefined()
    analysis.unwindAllThreads()
    analysis.nameFrames()
    const report = createReport(analysis)
    expect(report.crash).toEqual({
      signal: 11,
      signalName: 'SIGSEGV',
      code: 1,
      codeName: 'SEGV_MAPERR',
      faultAddress: '0x1234',
      comm: 'made',
      exe: '/usr/bin/made',
      exeBuildId: BUILD_ID,
    })
    expect(report.modules).toMatchObject([{ path: '/usr/bin/made', buildId: BUILD_ID }])
    expect(report.fingerprint).toMatchObject({ quality: 'none' })
    const order = machine.byteOrder === 'big' ? ', big-endian' : ''
    expect(report.skipped).toEqual([
      `stacks: machine ${machine.machine}, ${machine.bits} bits${order}, is not unwound`,
    ])
    expect(formatReport(report)).toContain('made crashed: SIGSEGV (SEGV_MAPERR) at address 0x1234')
    expect(createMinicore(analysis)).toBeUndefined()
  })

  it.for(MACHINES)('gives the same of a stream: $name', (machine) => {
    const core = coreOf(machine)
    const { segments: _, ...expected } = openCore(bufferSource(core))?.facts ?? {}
    expect(streamed(core)?.facts).toMatchObject(expected)
  })
})

describe('the sender of a signal', () => {
  it.for([
    { name: 'kill', code: 0, sender: 4321 },
    { name: 'sigqueue', code: -1, sender: 4321 },
    { name: 'tgkill', code: -6, sender: 4321 },
    { name: 'a timer', code: -2, sender: undefined },
    { name: 'a file descriptor', code: -5, sender: undefined },
    { name: 'the kernel', code: 0x80, sender: undefined },
  ])('is known of $name: $sender', ({ code, sender }) => {
    const core = openCore(bufferSource(madeCore({ signal: [6, code, 4321] })))
    expect(core?.facts.signal?.code).toBe(code)
    expect(core?.facts.signal?.senderPid).toBe(sender)
    expect(core?.facts.signal?.faultAddress).toBeUndefined()
  })
})
