import type { CoreFacts } from '../core/core-facts.ts'
import { EM_AARCH64, EM_X86_64 } from '../elf/elf-header.ts'
import type { Architecture } from './architecture.ts'
import { readU64 } from '../elf/byte-source.ts'

/** The machine of a core, if its stacks can be unwound: 64-bit little-endian x86-64 and arm64. */
export function architectureOf(
  facts: Pick<CoreFacts, 'bits' | 'littleEndian' | 'machine'>,
): Architecture | undefined {
  if (facts.bits !== 64 || !facts.littleEndian) return undefined
  if (facts.machine === EM_X86_64) return X86_64
  return facts.machine === EM_AARCH64 ? AARCH64 : undefined
}

/** user_regs_struct, in its order, with the DWARF number of each. */
const LAYOUT: readonly (readonly [name: string, dwarf: number])[] = [
  ['r15', 15],
  ['r14', 14],
  ['r13', 13],
  ['r12', 12],
  ['rbp', 6],
  ['rbx', 3],
  ['r11', 11],
  ['r10', 10],
  ['r9', 9],
  ['r8', 8],
  ['rax', 0],
  ['rcx', 2],
  ['rdx', 1],
  ['rsi', 4],
  ['rdi', 5],
  ['orig_rax', -1],
  ['rip', 16],
  ['cs', -1],
  ['eflags', -1],
  ['rsp', 7],
]
const SHOWN = 'rip rsp rbp rax rbx rcx rdx rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 eflags'.split(' ')
const INDEX = new Map(LAYOUT.map(([name], index) => [name, index]))

/** mov $15,%rax; syscall */
const X86_SIGRETURN = Buffer.from('48c7c00f0000000f05', 'hex')
/** At the stack pointer of the trampoline: ucontext; its registers in the order of struct sigcontext. */
const UCONTEXT_REGISTERS = 40
const SIGCONTEXT = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16]
const UCONTEXT_RSP = UCONTEXT_REGISTERS + 15 * 8
const UCONTEXT_CS = 0xb8
const USER_CS = 0x33
/** In user_regs_struct. */
const FS_BASE = 21 * 8
/** Pointer to the FXSAVE area, whose unused bytes say how long the whole is; asm/sigcontext.h. */
const UCONTEXT_FPSTATE = 0xe0
const FXSAVE_BYTES = 512
const FP_XSTATE_MAGIC1 = 0x46505853
const FX_SW_BYTES = 464
const MAX_XSAVE_BYTES = 16_384

/** The System V ABI of x86-64. */
const X86_64: Architecture = {
  name: 'x86_64',
  count: 17,
  pc: 16,
  sp: 7,
  fp: 6,
  link: undefined,
  calleeSaved: [3, 6, 12, 13, 14, 15],
  load(registers) {
    const loaded = new Float64Array(17).fill(NaN)
    LAYOUT.forEach(([, dwarf], index) => {
      if (dwarf >= 0 && registers.length >= index * 8 + 8) {
        loaded[dwarf] = readU64(registers, index * 8)
      }
    })
    return loaded
  },
  show(registers) {
    return SHOWN.flatMap((name) => {
      const at = (INDEX.get(name) ?? 0) * 8
      if (registers.length < at + 8) return []
      return [[name, `0x${registers.readBigUInt64LE(at).toString(16)}`] as const]
    })
  },
  stackPointer: (registers) =>
    registers.length >= 20 * 8 ? readU64(registers, 19 * 8) : undefined,
  threadPointer: ({ registers }) =>
    registers.length >= FS_BASE + 8 ? readU64(registers, FS_BASE) : undefined,
  isSignalReturn: (code) => code.equals(X86_SIGRETURN),
  signalReturnBytes: X86_SIGRETURN.length,
  signalFrame: SIGCONTEXT.map((register, index) => [register, UCONTEXT_REGISTERS + index * 8]),
  signalFrameBytes: UCONTEXT_CS + 8,
  interruptedStackPointer(stack) {
    for (let at = 0; at + 0xc0 <= stack.length; at += 8) {
      if (stack[at + UCONTEXT_CS] !== USER_CS) continue
      if (stack.readUInt16LE(at + UCONTEXT_CS) !== USER_CS) continue
      // uc_flags is small, uc_link is null
      if (readU64(stack, at) > 7 || readU64(stack, at + 8) !== 0) continue
      return readU64(stack, at + UCONTEXT_RSP)
    }
    return undefined
  },
  vectorRegisters(sp, memory) {
    const pointer = memory.read(sp + UCONTEXT_FPSTATE, 8)
    const start = pointer.length < 8 ? 0 : readU64(pointer, 0)
    const area = memory.read(start, FXSAVE_BYTES)
    if (start === 0 || area.length === 0) return []
    const isExtended =
      area.length === FXSAVE_BYTES && area.readUInt32LE(FX_SW_BYTES) === FP_XSTATE_MAGIC1
    const length = isExtended ? area.readUInt32LE(FX_SW_BYTES + 4) : FXSAVE_BYTES
    return [{ start, length: Math.min(Math.max(length, FXSAVE_BYTES), MAX_XSAVE_BYTES) }]
  },
  endsWithCall(code) {
    if (code.length < 8) return false
    if (code[3] === 0xe8) return true
    // call *r/m of 2, 3, 4, 6 or 7 bytes, with or without a prefix
    return [2, 3, 4, 6, 7, 8].some((length) => {
      const at = 8 - length
      return (
        isIndirectCall(code[at], code[at + 1]) ||
        (length > 2 && (code[at] ?? 0) >> 4 === 4 && isIndirectCall(code[at + 1], code[at + 2]))
      )
    })
  },
  codeAddress: (low, high) => low + high * 2 ** 32,
  returnAddressAt(code) {
    const at = code.readUInt32BE(0) === 0xf30f1efa ? 4 : 0
    // push %rbp is next, or ret: nothing has been pushed yet, or all has been taken off
    if (code[at] === 0x55 || code[at] === 0xc3) return 0
    // mov %rsp,%rbp is next
    if (at === 0 && code.readUIntBE(0, 3) === 0x4889e5) return 8
    return undefined
  },
}

function isIndirectCall(opcode: number | undefined, modrm: number | undefined): boolean {
  return opcode === 0xff && modrm !== undefined && ((modrm >> 3) & 7) === 2
}

const ARM_REGISTERS = 33
const ARM_PC = 32
const ARM_SP = 31
/** mov x8, #139; svc #0 */
const ARM_SIGRETURN = Buffer.from('681180d2010000d4', 'hex')
/** rt_sigframe: siginfo of 128 bytes, then ucontext, whose registers come 184 bytes into it. */
const ARM_UCONTEXT_AT = 128
const ARM_REGISTERS_AT = ARM_UCONTEXT_AT + 184
/** Records of the vector registers: behind pstate, at the next 16 bytes. */
const ARM_RESERVED_AT = ARM_UCONTEXT_AT + 176 + 288
const ARM_RESERVED_BYTES = 4096
/** Addresses of 48 bits, where the core does not say which bits are the signature. */
const ARM_ADDRESS_HIGH_MASK = 0xffff

/** The ABI of 64-bit Arm: AAPCS64. */
const AARCH64: Architecture = {
  name: 'aarch64',
  count: ARM_REGISTERS,
  pc: ARM_PC,
  sp: ARM_SP,
  fp: 29,
  link: 30,
  calleeSaved: [19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30],
  load(registers, facts) {
    const loaded = new Float64Array(ARM_REGISTERS).fill(NaN)
    for (let index = 0; index < ARM_REGISTERS && registers.length >= index * 8 + 8; index++) {
      loaded[index] = readU64(registers, index * 8)
    }
    if (registers.length >= 31 * 8) {
      const [low, high] = [registers.readUInt32LE(30 * 8), registers.readUInt32LE(30 * 8 + 4)]
      loaded[30] = this.codeAddress(low, high, facts)
    }
    return loaded
  },
  show(registers) {
    const names = Array.from({ length: 34 }, (_, index) => `x${index}`)
    names.splice(31, 3, 'sp', 'pc', 'pstate')
    return names.flatMap((name, index) =>
      registers.length < index * 8 + 8
        ? []
        : [[name, `0x${registers.readBigUInt64LE(index * 8).toString(16)}`] as const],
    )
  },
  stackPointer: (registers) =>
    registers.length >= 32 * 8 ? readU64(registers, ARM_SP * 8) : undefined,
  threadPointer: ({ tls }) => tls,
  isSignalReturn: (code) => code.equals(ARM_SIGRETURN),
  signalReturnBytes: ARM_SIGRETURN.length,
  signalFrame: Array.from({ length: ARM_REGISTERS }, (_, index) => [
    index,
    ARM_REGISTERS_AT + index * 8,
  ]),
  signalFrameBytes: ARM_REGISTERS_AT + 34 * 8,
  interruptedStackPointer(stack) {
    for (let at = 0; at + ARM_REGISTERS_AT + 34 * 8 <= stack.length; at += 16) {
      // si_signo is small; uc_flags is 0 and uc_link null
      const signal = stack.readUInt32LE(at)
      if (signal === 0 || signal > 64) continue
      if (
        readU64(stack, at + ARM_UCONTEXT_AT) !== 0 ||
        readU64(stack, at + ARM_UCONTEXT_AT + 8) !== 0
      )
        continue
      const sp = readU64(stack, at + ARM_REGISTERS_AT + ARM_SP * 8)
      const pc = readU64(stack, at + ARM_REGISTERS_AT + ARM_PC * 8)
      // both are aligned, and the mode in pstate is EL0t
      const pstate = stack.readUInt32LE(at + ARM_REGISTERS_AT + 33 * 8)
      if (sp > 0 && sp % 16 === 0 && pc % 4 === 0 && (pstate & 0x1f) === 0) return sp
    }
    return undefined
  },
  vectorRegisters: (sp) => [{ start: sp + ARM_RESERVED_AT, length: ARM_RESERVED_BYTES }],
  endsWithCall(code) {
    if (code.length < 8) return false
    const instruction = code.readUInt32LE(4)
    // bl; blr, and blraa and its relatives
    return instruction >>> 26 === 0b100101 || (instruction & 0xfefff000) >>> 0 === 0xd63f0000
  },
  codeAddress(low, high, { pacMask }) {
    const mask = pacMask === undefined ? ARM_ADDRESS_HIGH_MASK : ~Number(pacMask >> 32n)
    return low + ((high & mask) >>> 0) * 2 ** 32
  },
  returnAddressAt: () => undefined,
}
