import { describe, expect, it } from 'vitest'
import { WindowMemory, Slab } from './memory.ts'

/** Windows with the bytes that their addresses have, modulo 251. */
function memoryOf(...windows: readonly (readonly [start: number, length: number])[]): WindowMemory {
  const memory = new WindowMemory()
  for (const [start, length] of windows) {
    const bytes = Uint8Array.from({ length }, (_, index) => (start + index) % 251)
    memory.add(start, Buffer.from(bytes))
  }
  return memory
}

describe('WindowMemory', () => {
  it('has nothing below zero or at no number', () => {
    const memory = memoryOf([0, 100], [1000, 100])
    for (const address of [-1, -8, -(2 ** 63), NaN, -Infinity, Infinity]) {
      expect(memory.read(address, 8)).toHaveLength(0)
    }
  })

  it('reads as far as the longest window that has the address', () => {
    const windows = [
      [5000, 100],
      [1000, 500],
      [1100, 50],
      [1000, 2000],
      [900, 200],
      [1040, 1],
    ] as const
    const memory = memoryOf(...windows)
    for (let address = 890; address < 5110; address += 7) {
      const rests = windows.map(([start, length]) =>
        address >= start && address < start + length ? start + length - address : 0,
      )
      const read = memory.read(address, 300)
      expect(read.length, `at ${address}`).toBe(Math.min(300, Math.max(...rests)))
      if (read.length > 0) expect(read[0]).toBe(address % 251)
    }
  })

  it('finds windows that were added after a read', () => {
    const memory = memoryOf([1000, 10])
    expect(memory.read(500, 4)).toHaveLength(0)
    memory.add(500, Buffer.from('late'))
    expect(memory.read(500, 4).toString()).toBe('late')
    expect(memory.windows.map(({ start }) => start)).toEqual([1000, 500])
    expect(memory.bytes).toBe(14)
  })
})

describe('Slab', () => {
  it('gives ranges that do not overlap, and frees all of them at once', () => {
    const slab = new Slab()
    const taken = Array.from({ length: 200 }, (_, index) => slab.take(4096 + index).fill(index))
    const large = slab.take(1_000_000).fill(255)
    for (const [index, bytes] of taken.entries()) {
      expect(bytes.every((byte) => byte === index)).toBe(true)
    }
    expect(large).toHaveLength(1_000_000)
    slab.free()
    expect([...taken, large].every(({ length }) => length === 0)).toBe(true)
    expect(slab.take(4)).toHaveLength(4)
  })
})
