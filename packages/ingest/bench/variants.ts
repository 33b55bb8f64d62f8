import type { BenchOptions } from './options.ts'
import { peersNamed } from './peers.ts'
import type { Workshop } from './workshop.ts'

/** One way to take a core from a pipe to a file. */
export interface Variant {
  readonly name: string
  /** For sh; `$0` is the path to write, in a directory of its own. */
  readonly command: string
}

const MODES = ['deflate', 'store', 'adaptive', 'zstd', 'composer']
/** As the kernel calls it, of the process that feeds it: so that it looks for its container. */
const CRASH = '-c=unlimited -e=bench -p=1 -s=11 -t=1763900000 -E=!bench -P=$PPID'

/** The others that are installed, and ours; of those that are missing how to have them. */
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
        // of a run of the same crash again and again none is to be suppressed
        const variables = ['CORE_DIR="${0%/*}"', 'RATE_CRASHES=0', ...setting].join(' ')
        const command = `export ${variables}; exec ${composer} ${CRASH} > /dev/null`
        variants.push({ name: 'composer', command })
      }
    } else {
      const words = [process.execPath, workshop.drainProcess, '"$0"', mode, ...set, ...own]
      variants.push({ name: `ingest ${spec}`, command: `exec ${words.join(' ')} > /dev/null` })
    }
  }
  return { variants, missing }
}
