import { coreImage } from '@core-dump-handler/testing/core-image'
import { mutate } from '../generate/mutate.ts'
import type { Random } from '../generate/random.ts'

/** A small core, sound: of either size and byte order, with any number of segments. */
export function imageOf(random: Random): Buffer {
  return coreImage({
    bits: random.pick([32, 64, 64]),
    byteOrder: random.pick(['little', 'little', 'big']),
    segments: random.times(random.below(random.pick([4, 4, 60])), () => random.below(3000)),
    xnum: random.once(8),
  })
}

/** Input on fd 0: a core, a damaged one, random bytes, nothing. */
export function coreOf(random: Random): Buffer {
  switch (random.below(6)) {
    case 0:
      return random.bytes(random.below(2000))
    case 1:
      return Buffer.alloc(0)
    case 2:
      return imageOf(random)
    default:
      return damagedHeaders(random, imageOf(random))
  }
}

/** Most damage is in the headers, which are parsed. */
function damagedHeaders(random: Random, image: Buffer): Buffer {
  const length = random.pick([64, 64 + 56, 400])
  return Buffer.concat([mutate(random, image.subarray(0, length)), image.subarray(length)])
}
