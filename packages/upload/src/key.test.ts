import { describe, expect, it } from 'vitest'
import { appendToKey, keyOf } from './key.ts'

describe('appendToKey', () => {
  it.for([
    ['x.zip', 'x-id.zip'],
    ['a/b.c/x', 'a/b.c/x-id'],
    ['a/x.tar.gz', 'a/x.tar-id.gz'],
    ['.hidden', '.hidden-id'],
  ] as const)('puts the id before the extension of %s', ([key, expected]) => {
    expect(appendToKey(key, 'id')).toBe(expected)
  })

  it('cuts a name that is too long for a file system between characters', () => {
    const key = appendToKey(`a/${'é'.repeat(200)}.zip`, 'id')
    const name = key.slice(2)

    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255)
    expect(name).toMatch(/^é+-id\.zip$/)
  })
})

describe('keyOf', () => {
  it('percent-encodes control characters only', () => {
    expect(keyOf('a b"é%.zip')).toBe('a b"é%.zip')
    expect(keyOf('a\nb\u0000\u0085.zip')).toBe('a%0Ab%00%C2%85.zip')
  })
})
