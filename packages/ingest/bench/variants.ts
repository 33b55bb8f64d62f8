import type { BenchOptions, Variant } from './options.ts'
import { peersNamed } from './peers.ts'
import type { Workshop } from './workshop.ts'

const MODES = ['auto', 'deflate', 'store', 'adaptive', 'zstd', 'composer']
/** Arguments as from the kernel, for the feeding process: so that its container is looked up. */
const CRASH = '-c=unlimited -e=bench -p=1 -s=11 -t=1763900000 -E=!bench -P=$PPID'

/** The peers that are installed, and our modes; for the missing ones how to install them. */
export function variantsOf(
  { modes, peers: names, set, setting }: BenchOptions,
  workshop: Workshop,
): { variants: Variant[]; missing: string[] } {
  const { peers, missing } = peersNamed(names)
  const variants = [...peers]
  for (const spec of modes) {
    const [mode = '', ...own] = spec.split(':')
    if (!MODES.includes(mode)) {
      throw new TypeError(`Expected --modes to be of ${MODES.join(', ')}; got ${mode}`)
    }
    if (mode === 'composer') {
      const { composer } = workshop
      if (composer === undefined) missing.push('composer: not built; npm run build')
      else {
        // the same crash again and again must not be rate limited
        const variables = ['CORE_DIR="${0%/*}"', 'RATE_CRASHES=0', ...setting].join(' ')
        const command = `export ${variables}; exec ${composer} ${CRASH} > /dev/null`
        variants.push({ name: 'composer', command })
      }
    } else {
      const koffi = `koffiPath=${workshop.koffi}`
      const words = [process.execPath, workshop.drainProcess, '"$0"', mode, koffi, ...set, ...own]
      variants.push({ name: `ingest ${spec}`, command: `exec ${words.join(' ')} > /dev/null` })
    }
  }
  return { variants, missing }
}
