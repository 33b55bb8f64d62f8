import { readFileSync, statSync } from 'node:fs'
import { coreImage } from '@core-dump-handler/testing/core-image'
import { describe, expect, test } from 'vitest'
import { ElfMeter } from './elf-meter.ts'

function facts(bytes: Buffer, step = bytes.length || 1): ReturnType<ElfMeter['facts']> {
  const meter = new ElfMeter()
  for (let at = 0; at < bytes.length; at += step) meter.push(bytes.subarray(at, at + step))
  return meter.facts()
}

describe.for([32, 64] as const)('of %i bits', (bits) => {
  describe.for(['little', 'big'] as const)('%s endian', (byteOrder) => {
    test.for([1, 7, 64, 100_000])('knows the length from steps of %i bytes', (step) => {
      const image = coreImage({ bits, byteOrder, segments: [4096, 0, 8192, 12_288] })
      expect(facts(image, step)).toEqual({
        isElf: true,
        isCore: true,
        bits,
        byteOrder,
        expectedBytes: image.length,
      })
      expect(facts(image.subarray(0, image.length - 1), step).expectedBytes).toBe(image.length)
    })

    test('knows the length with more segments than the header can count (PN_XNUM)', () => {
      const image = coreImage({ bits, byteOrder, segments: Array(70_000).fill(1), xnum: true })
      expect(facts(image, 65_536).expectedBytes).toBe(image.length)
    })
  })
})

test('a program file is an ELF file, not a core, and expected to be at most as long as it is', () => {
  const path = process.execPath
  const found = facts(readFileSync(path))
  expect(found).toMatchObject({ isElf: true, isCore: false, bits: 64 })
  expect(found.expectedBytes).toBeGreaterThan(statSync(path).size / 2)
  expect(found.expectedBytes).toBeLessThanOrEqual(statSync(path).size)
})

test.for(['', 'E', '\x7fEL', 'text that is not an ELF file, but as long as its header'])(
  '%j is not an ELF file',
  (text) => {
    expect(facts(Buffer.from(text, 'latin1'))).toEqual({ isElf: false })
  },
)

test('expects at least the header when that is cut off', () => {
  const image = coreImage({ bits: 64, byteOrder: 'little', segments: [4096] })
  expect(facts(image.subarray(0, 4))).toEqual({ isElf: true })
  expect(facts(image.subarray(0, 40))).toMatchObject({ isElf: true, expectedBytes: 64 })
})

test('leaves out an unknown class or byte order', () => {
  const image = coreImage({ bits: 64, byteOrder: 'little', segments: [4096] })
  image[4] = 9
  expect(facts(image)).toEqual({ isElf: true })
})

test.for([
  ['program headers inside the header', 32, 8n],
  ['program headers beyond any file', 32, 0xffff_ffff_ffff_ff00n],
  ['section headers beyond any file', 40, 0xffff_ffff_ffff_ff00n],
] as const)('handles %s', ([, at, value]) => {
  const image = coreImage({ bits: 64, byteOrder: 'little', segments: [4096] })
  image.writeBigUInt64LE(value, at)
  image.writeUInt16LE(64, 58)
  image.writeUInt16LE(1, 60)
  const { expectedBytes } = facts(image, 33)
  expect(expectedBytes).toBeGreaterThanOrEqual(64)
  expect(Number.isSafeInteger(expectedBytes)).toBe(true)
})
