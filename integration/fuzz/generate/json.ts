import { mutate } from './mutate.ts'
import type { Random } from './random.ts'
import { text } from './text.ts'

/** A value of any shape. */
export function value(random: Random, depth: number = 3): unknown {
  const scalars = [null, true, 0, -1, 1e300, 1.5, 2 ** 53, '', text(random), text(random)]
  if (depth === 0 || random.once(2)) return random.pick(scalars)
  if (random.once(2)) return random.times(random.below(4), () => value(random, depth - 1))
  return Object.fromEntries(
    random.times(random.below(5), () => [text(random), value(random, depth - 1)]),
  )
}

/** A copy of `sound` in which some values are others, some keys missing and some new. */
export function distort(random: Random, sound: unknown, oneIn: number = 12): unknown {
  if (random.once(oneIn)) return random.once(2) ? text(random) : value(random)
  if (Array.isArray(sound)) return sound.map((item) => distort(random, item, oneIn))
  if (typeof sound !== 'object' || sound === null) return sound
  const kept = Object.entries(sound).filter(() => !random.once(oneIn * 2))
  const extra = random.once(oneIn) ? [[text(random), value(random)]] : []
  return Object.fromEntries([
    ...kept.map(([key, item]) => [key, distort(random, item, oneIn)]),
    ...extra,
  ])
}

/** The same for a message, which stays an object at its top. */
export function distortObject(random: Random, sound: object): object {
  const distorted = distort(random, sound, 20)
  return typeof distorted === 'object' && distorted !== null ? distorted : {}
}

/** `sound` as JSON, distorted; sometimes damaged as a text too, or nothing of the kind. */
export function jsonText(random: Random, sound: unknown): Buffer {
  const written = Buffer.from(JSON.stringify(distort(random, sound)) ?? '')
  switch (random.below(12)) {
    case 0:
      return mutate(random, written)
    case 1:
      return Buffer.from('[{"a":'.repeat(random.below(20_000)))
    case 2:
      return Buffer.from(`{"__proto__":{"x":1},"constructor":${written.toString()}}`)
    case 3:
      return Buffer.concat([Buffer.from('\ufeff'), written])
    default:
      return written
  }
}
