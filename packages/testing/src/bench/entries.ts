import { whyNoSockets } from '../kernel/core-sockets.ts'
import { log } from './publish.ts'
import { list } from './parse.ts'

/** How the kernel passes a core: to a composer of its own, or to the receiver. */
export type CoreEntry = 'pipe' | 'socket'

/** Of benchmarks that compare both in one run. */
export const ENTRY_USAGE = `  --entry LIST     pipe: a composer for each crash; socket: the receiver (default pipe,socket where the
                   kernel has both)`

/**
 * What `--entry` asks for, in its order, such as `pipe,socket`; by default both, or the pipe alone where this
 * kernel has no sockets. Throws for a word that is none, or that this kernel has not.
 */
export function coreEntries(option: string | undefined): readonly CoreEntry[] {
  const why = whyNoSockets()
  if (option === undefined) {
    if (why === undefined) return ['pipe', 'socket']
    log(`Left out: --entry socket: ${why}`)
    return ['pipe']
  }
  return list(option).map((word) => {
    if (word === 'pipe') return word
    if (word !== 'socket') throw new TypeError(`--entry is pipe or socket, not \`${word}\``)
    if (why !== undefined) throw new Error(`--entry socket: ${why}`)
    return word
  })
}
