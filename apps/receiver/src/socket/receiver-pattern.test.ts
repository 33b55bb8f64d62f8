import { describe, expect, it } from 'vitest'
import { receiverPattern } from './receiver-pattern.ts'

describe('receiverPattern', () => {
  it('connects the kernel to the socket in the directory', () => {
    expect(receiverPattern('/var/mnt/core-dump-handler')).toBe(
      '@@/var/mnt/core-dump-handler/receiver.sock',
    )
  })

  it.for(['cores', '/a b', '/100%', '', `/${'x'.repeat(100)}`])('rejects `%s`', (hostDir) => {
    expect(() => receiverPattern(hostDir)).toThrow(RangeError)
  })
})
