import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { FRAME, FrameReader, frame, frameHeader } from '../index.ts'
import { Window } from './window.ts'

const FRAMES = [
  [FRAME.hello, Buffer.from('{"name":"x"}')],
  [FRAME.data, randomBytes(300_000)],
  [FRAME.leave, Buffer.alloc(0)],
  [FRAME.end, Buffer.from('manifest')],
] as const

function written(): Buffer {
  return Buffer.concat(
    FRAMES.flatMap(([type, content]) => [frameHeader(type, content.length), content]),
  )
}

test.for([1, 4, 5, 7, 65_536, 1_000_000])(
  'frames come out as they went in, %d bytes at a time',
  (step) => {
    const reader = new FrameReader()
    const bytes = written()
    const read: [number, Buffer][] = []
    for (let at = 0; at < bytes.length; at += step) {
      for (const { type, content } of reader.push(bytes.subarray(at, at + step))) {
        read.push([type, Buffer.from(content)])
      }
    }
    expect(read.map(([type]) => type)).toEqual(FRAMES.map(([type]) => type))
    for (const [index, [, content]] of read.entries()) {
      expect(content.equals(FRAMES[index]?.[1] ?? Buffer.alloc(0))).toBe(true)
    }
  },
)

test('a frame that is cut is none', () => {
  const bytes = frame(FRAME.end, 'manifest')
  expect([...new FrameReader().push(bytes.subarray(0, -1))]).toEqual([])
})

test('a frame longer than any is refused before its bytes are waited for', () => {
  const reader = new FrameReader()
  expect(() => [...reader.push(frameHeader(FRAME.data, 2 ** 31))]).toThrow(/of another version/)
})

test('a window gives back what it was given, whatever was dropped before', () => {
  const window = new Window(4 * 1024 * 1024)
  const all = randomBytes(12_000_000)
  let [given, dropped] = [0, 0]
  for (let step = 1; given < all.length; step = (step * 7919) % 600_011) {
    const bytes = all.subarray(given, given + Math.min(step, window.room))
    window.append(bytes)
    given += bytes.length
    if (window.room < 1_000_000) {
      const count = Math.min(window.bytes, 1 + ((step * 31) % 3_000_000))
      window.drop(count)
      dropped += count
    }
    const skip = Math.min(window.bytes, step % 1000)
    const held = Buffer.concat(window.from(skip))
    expect(held.equals(all.subarray(dropped + skip, given))).toBe(true)
    expect(window.bytes).toBe(given - dropped)
  }
  window.clear()
  expect(window.from(0)).toEqual([])
})
