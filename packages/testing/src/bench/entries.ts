import { whyNoSockets } from '../kernel/core-sockets.ts'

/** How the kernel passes a core: to a composer of its own, or to the receiver. */
export type CoreEntry = 'pipe' | 'socket'

/** What `--entry` asks for, in its order; throws for a word that is none, or that this kernel has not. */
export function coreEntries(words: readonly string[]): readonly CoreEntry[] {
  return words.map((word) => {
    if (word === 'pipe') return word
    if (word !== 'socket') throw new TypeError(`--entry is pipe or socket, not \`${word}\``)
    const why = whyNoSockets()
    if (why !== undefined) throw new Error(`--entry socket: ${why}`)
    return word
  })
}
