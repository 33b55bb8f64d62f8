import { expect, test } from 'vitest'
import { corePattern } from './index.ts'

const of = (length: number): string => `/${'d'.repeat(length - 1)}`

test('asks the kernel for everything from the default directory, in 109 bytes', () => {
  const { pattern, dropped } = corePattern('/var/mnt/core-dump-handler')
  expect(pattern).toBe(
    '|/var/mnt/core-dump-handler/cdc -c=%c -e=%e -p=%p -s=%s -t=%t -h=%h -E=%E -P=%P -I=%I -u=%u -g=%g -M=%d -F=%F',
  )
  expect(pattern).toHaveLength(109)
  expect(dropped).toEqual([])
})

test('drops optional flags from the right, the host pid last, and reports which', () => {
  expect(corePattern(of(44)).dropped).toEqual([])
  expect(corePattern(of(45)).dropped).toEqual(['-F=%F'])
  expect(corePattern(of(51)).dropped).toEqual(['-M=%d', '-F=%F'])
  expect(corePattern(of(74)).dropped).toEqual(['-I=%I', '-u=%u', '-g=%g', '-M=%d', '-F=%F'])
  expect(corePattern(of(80)).dropped).toHaveLength(6)
})

test('never exceeds 127 bytes, and names the numbers when even the least does not fit', () => {
  for (let length = 2; length <= 80; length++) {
    expect(corePattern(of(length)).pattern.length).toBeLessThanOrEqual(127)
  }
  expect(() => corePattern(of(81))).toThrow(
    /takes 128 bytes and the kernel keeps 127.*1 bytes shorter/,
  )
  expect(() => corePattern(of(200))).toThrow(expect.objectContaining({ code: 'PATTERN_TOO_LONG' }))
})

test('takes a trailing slash', () => {
  expect(corePattern('/opt/x/').pattern).toMatch(/^\|\/opt\/x\/cdc /)
})

test.for(['', 'relative/dir', '/with blank', '/with\nnewline', '/with%p', '/ünïcode', '/nul\0'])(
  'rejects the directory %j, which the kernel would misread',
  (dir) => {
    expect(() => corePattern(dir)).toThrow(expect.objectContaining({ code: 'INVALID_DIRECTORY' }))
  },
)
