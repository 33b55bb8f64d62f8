import { readU64 } from '../elf/byte-source.ts'
import type { Architecture } from './architecture.ts'

const COUNT = 33
const PC = 32
const SP = 31
/** mov x8, #139; svc #0 */
const SIGRETURN = Buffer.from('681180d2010000d4', 'hex')
/** rt_sigframe: siginfo of 128 bytes, then ucontext, whose registers come 184 bytes into it. */
const UCONTEXT = 128
const REGISTERS = UCONTEXT + 184
/** Records of the vector registers: behind pstate, at the next 16 bytes. */
const RESERVED = UCONTEXT + 176 + 288
const RESERVED_BYTES = 4096
/** Addresses of 48 bits, where the core does not say which bits are the signature. */
const ADDRESS_HIGH_MASK = 0xffff

/** The ABI of 64-bit Arm: AAPCS64. */
export const AARCH64: Architecture = {
  name: 'aarch64',
  count: COUNT,
  pc: PC,
  sp: SP,
  fp: 29,
  link: 30,
  calleeSaved: [19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30],
  load(registers, facts) {
    const loaded = new Float64Array(COUNT).fill(NaN)
    for (let index = 0; index < COUNT && registers.length >= index * 8 + 8; index++) {
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
    registers.length >= 32 * 8 ? readU64(registers, SP * 8) : undefined,
  threadPointer: ({ tls }) => tls,
  isSignalReturn: (code) => code.equals(SIGRETURN),
  signalReturnBytes: SIGRETURN.length,
  signalFrame: Array.from({ length: COUNT }, (_, index) => [index, REGISTERS + index * 8]),
  signalFrameBytes: REGISTERS + 34 * 8,
  interruptedStackPointer(stack) {
    for (let at = 0; at + REGISTERS + 34 * 8 <= stack.length; at += 16) {
      // si_signo is small; uc_flags is 0 and uc_link null
      const signal = stack.readUInt32LE(at)
      if (signal === 0 || signal > 64) continue
      if (readU64(stack, at + UCONTEXT) !== 0 || readU64(stack, at + UCONTEXT + 8) !== 0) continue
      const sp = readU64(stack, at + REGISTERS + SP * 8)
      const pc = readU64(stack, at + REGISTERS + PC * 8)
      // both are aligned, and the mode in pstate is EL0t
      const pstate = stack.readUInt32LE(at + REGISTERS + 33 * 8)
      if (sp > 0 && sp % 16 === 0 && pc % 4 === 0 && (pstate & 0x1f) === 0) return sp
    }
    return undefined
  },
  vectorRegisters: (sp) => [{ start: sp + RESERVED, length: RESERVED_BYTES }],
  endsWithCall(code) {
    if (code.length < 8) return false
    const instruction = code.readUInt32LE(4)
    // bl; blr, and blraa and its relatives
    return instruction >>> 26 === 0b100101 || (instruction & 0xfefff000) >>> 0 === 0xd63f0000
  },
  codeAddress(low, high, { pacMask }) {
    const mask = pacMask === undefined ? ADDRESS_HIGH_MASK : ~Number(pacMask >> 32n)
    return low + ((high & mask) >>> 0) * 2 ** 32
  },
  returnAddressAt: () => undefined,
}
