import { describe, expect, it } from 'vitest'
import { MAX_OBJECT_BYTES, MAX_PARTS, partSize } from './options.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3
const TIB = 1024 ** 4

describe('partSize', () => {
  it.for([
    [0, 8 * MIB, 8 * MIB],
    [8 * MIB * MAX_PARTS, 8 * MIB, 8 * MIB],
    [8 * MIB * MAX_PARTS + 1, 8 * MIB, 9 * MIB],
    [60 * GIB, 5 * MIB, 7 * MIB],
    [TIB, 8 * MIB, 105 * MIB],
    [5 * TIB, 8 * MIB, 525 * MIB],
    [MAX_OBJECT_BYTES, 8 * MIB, 5 * GIB],
  ] as const)(
    'splits %d bytes with parts of at least %d into parts of %d',
    ([bytes, wanted, expected]) => {
      expect(partSize(bytes, wanted)).toBe(expected)
      expect(Math.ceil(bytes / partSize(bytes, wanted))).toBeLessThanOrEqual(MAX_PARTS)
    },
  )

  it('rejects more than 10,000 parts of 5 GiB', () => {
    expect(() => partSize(MAX_OBJECT_BYTES + 1, 8 * MIB)).toThrow(
      expect.objectContaining({ name: 'UploadError', code: 'TOO_LARGE', retryable: false }),
    )
  })
})
