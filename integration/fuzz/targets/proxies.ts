import { NoProxy } from '@core-dump-handler/upload'
import type { Random } from '../generate/random.ts'
import { text } from '../generate/text.ts'
import { promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'

const HOSTS = ['store', 's3.example.com', '10.1.2.3', 'fd00::7', '[::1]', 'xn--bcher-kva.example']
const PIECES = [
  ...HOSTS,
  '*',
  '.',
  ':',
  '/',
  '[',
  ']',
  '%',
  '@',
  '8',
  '129',
  '9000',
  ',',
  ' ',
  '\t',
]
const LIMIT_MS = 1000

export const proxies: Target = {
  name: 'proxies',
  what: 'lists of hosts that are reached without a proxy',
  begin() {
    return {
      async round(random) {
        const list = random.once(50) ? long(random) : entries(random)
        const host = random.pick(HOSTS)
        const started = performance.now()
        const exceptions = new NoProxy(list)
        const covered = exceptions.covers(host, 9000)
        exceptions.covers(text(random), random.below(65_536))
        const tookMs = performance.now() - started
        promised(tookMs < LIMIT_MS, () => `${list.length} characters took ${tookMs} ms`)

        const shown = JSON.stringify(list)
        const hasStar = list.split(/[\s,]+/).includes('*')
        promised(!hasStar || covered, () => `${shown} does not exclude ${host}`)
        promised(
          exceptions.unknown.every((entry) => list.includes(entry)),
          () => `${shown} has unknown entries that it does not contain`,
        )
        const more = new NoProxy(`${list},${host}`)
        promised(more.covers(host, 9000), () => `${shown} and ${host} do not exclude ${host}`)
        promised(
          more.covers(host.toUpperCase(), 1),
          () => `${shown} and ${host} do not exclude it in upper case`,
        )
      },
    }
  },
}

function entries(random: Random): string {
  const pieces = random.times(random.below(20), () =>
    random.once(4) ? text(random) : random.pick(PIECES),
  )
  return pieces.join(random.pick(['', ',', ', ']))
}

/** As long as an environment variable may be. */
function long(random: Random): string {
  return `${entries(random)},`.repeat(2000).slice(0, 131_000)
}
