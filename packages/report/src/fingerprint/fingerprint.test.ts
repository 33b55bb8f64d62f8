import { describe, expect, it } from 'vitest'
import { fingerprint, type Fingerprint, type FingerprintFrame, type Trust } from '../index.ts'

const EXE = { buildId: 'aa11', name: 'shop' }
const LIBC = '/lib/libc.so.6'

function frame(
  symbol: string | undefined,
  vaddr: number,
  { buildId = 'aa11', module = '/app/shop', trust = 'cfi' }: Partial<FingerprintFrame> = {},
): FingerprintFrame {
  return { ...(symbol !== undefined && { symbol }), vaddr, buildId, module, trust }
}

const BASE = [
  frame('pay', 0x100),
  frame('order', 0x200),
  frame('serve', 0x300),
  frame('main', 0x400),
]

function of(frames: readonly FingerprintFrame[], signal = 11, exe = EXE): Fingerprint {
  return fingerprint({ exe, signal, frames })
}

function withTrust(frames: readonly FingerprintFrame[], trust: Trust): FingerprintFrame[] {
  return frames.map((each, index) => (index === 0 ? { ...each, trust } : each))
}

const mutualRecursion = (depth: number): FingerprintFrame[] => [
  frame('leaf', 1),
  ...Array.from({ length: depth }, () => [frame('a', 0x50), frame('b', 0x60)]).flat(),
  frame('main', 0x400),
]

const recursion = (depth: number): FingerprintFrame[] => [
  frame('leaf', 1),
  ...Array.from({ length: depth }, () => frame('walk', 0x50)),
  ...BASE,
]

const start = (buildId: string, vaddr: number): FingerprintFrame[] => [
  frame(undefined, vaddr, { buildId, module: LIBC }),
  frame('__libc_start_main', vaddr + 200, { buildId, module: LIBC }),
  frame('_start', 0x50),
]

const deep = (symbol: string): FingerprintFrame[] => [
  ...Array.from({ length: 8 }, (_, index) => frame(`f${index}`, index)),
  frame(symbol, 0x999),
]

const guessed = (symbol: string, vaddr: number): FingerprintFrame[] => [
  ...BASE.slice(0, 3),
  frame(symbol, vaddr, { trust: 'scan' }),
  frame(symbol, vaddr + 1),
]

const handled = (names: readonly string[]): FingerprintFrame[] => [
  ...names.map((name, index) => frame(name, index)),
  ...withTrust(BASE, 'signal'),
]

const named = (symbol: string): string => of([frame(symbol, 1), ...BASE.slice(1)]).family

describe('id', () => {
  it('does not depend on paths', () => {
    const moved = BASE.map((each) => ({ ...each, module: `/other${each.module}` }))
    expect(of(moved).id).toBe(of(BASE).id)
  })

  it('depends on the signal', () => {
    expect(of(BASE, 6).id).not.toBe(of(BASE).id)
  })

  it('is another one at another place of the same function, of the same family', () => {
    const other = of([frame('pay', 0x108), ...BASE.slice(1)])
    expect(other.id).not.toBe(of(BASE).id)
    expect(other.family).toBe(of(BASE).family)
  })

  it('is another one of another build, of the same family', () => {
    const frames = BASE.map((each) => ({ ...each, buildId: 'bb22', vaddr: (each.vaddr ?? 0) + 64 }))
    const other = of(frames, 11, { buildId: 'bb22', name: 'shop' })
    expect(other.id).not.toBe(of(BASE).id)
    expect(other.family).toBe(of(BASE).family)
  })

  it('does not depend on how abort() of a C library is built', () => {
    const old = [frame('raise', 1), frame('abort', 2)].map((each) => ({
      ...each,
      buildId: 'c1',
      module: LIBC,
    }))
    const later = [frame(undefined, 9), frame('raise', 3), frame('abort', 4)].map((each) => ({
      ...each,
      buildId: 'c2',
      module: LIBC,
    }))
    expect(of([...old, ...BASE], 6).id).toBe(of([...later, ...BASE], 6).id)
  })

  it('does not depend on how the C library starts a program', () => {
    expect(of([...BASE, ...start('c1', 0x2724a)]).id).toBe(of([...BASE, ...start('c2', 0x9999)]).id)
    expect(of([...BASE, ...start('c1', 0x2724a)]).id).toBe(of(BASE).id)
  })

  it('does not depend on the depth of a recursion', () => {
    expect(of(recursion(2)).id).toBe(of(recursion(90)).id)
  })

  it('does not depend on the depth of a recursion of two functions', () => {
    expect(of(mutualRecursion(3)).id).toBe(of(mutualRecursion(40)).id)
  })

  it('does not depend on where in an endless recursion the stack ended', () => {
    const cycle = [frame('a', 0x50), frame('b', 0x60), frame('c', 0x70)]
    const ended = (first: FingerprintFrame, turn: number): Fingerprint =>
      fingerprint({
        exe: EXE,
        signal: 11,
        isStackOverflow: true,
        frames: [
          first,
          ...Array.from({ length: 200 }, (_, index) => cycle[(index + turn) % 3] ?? first),
        ],
      })
    const ids = [
      ended(frame('a', 0x44), 0),
      ended(frame('b', 0x58), 1),
      ended(frame('memset', 3), 2),
    ]
    expect(new Set(ids.map(({ id }) => id)).size).toBe(1)
    expect(ids[0]?.basis).toContain('signal 11, stack overflow')
  })

  it('does not depend on what is deeper than eight frames', () => {
    expect(of(deep('x')).id).toBe(of(deep('y')).id)
  })

  it('does not depend on guessed frames, nor on what is behind them', () => {
    expect(of(guessed('junk', 1)).id).toBe(of(guessed('other', 2)).id)
  })

  it('is that of what a signal handler interrupted', () => {
    expect(of(handled(['raise', 'handler', '__restore_rt'])).id).toBe(
      of(handled(['tgkill', 'other'])).id,
    )
  })

  it('is one for a panic of Go that was raised again and one that was caught before', () => {
    const panic = [
      'runtime.raise.abi0',
      'runtime.dieFromSignal',
      'runtime.fatalpanic',
      'runtime.gopanic',
      'runtime.sigpanic',
    ].map((name, index) => frame(name, index))
    const handler = [
      frame('runtime.raise.abi0', 1),
      frame('runtime.sigfwdgo', 2),
      frame('runtime.sigtramp.abi0', 3),
    ]
    expect(of([...handler, ...withTrust(panic, 'signal'), ...BASE], 6).id).toBe(
      of([...panic, ...BASE], 6).id,
    )
  })
})

describe('family', () => {
  it('does not depend on hashes of Rust nor on clones of gcc', () => {
    expect(named('_ZN4shop3pay17h0123456789abcdefE')).toBe(
      named('_ZN4shop3pay17hfedcba9876543210E'),
    )
    expect(named('_RNvNtCsjrHSEGnQ3l9_4shop3pay')).toBe(named('_RNvNtCs1234abcd_4shop3pay'))
    expect(named('pay.constprop.0.isra.3')).toBe(named('pay'))
    expect(named('pay@@SHOP_1.2')).toBe(named('pay'))
  })
})

describe('quality', () => {
  it('is none without a frame, and the key is the same one each time', () => {
    expect(of([]).quality).toBe('none')
    expect(of([]).id).toBe(of([]).id)
  })

  it('is few when all frames are how a program dies', () => {
    const frames = [frame('raise', 1), frame('abort', 2)]
    expect(of(frames, 6).quality).toBe('few')
  })
})
