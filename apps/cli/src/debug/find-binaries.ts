import { messageOf } from '../error.ts'
import type { BinarySource } from './binary-sources.ts'
import type { WantedModule } from './core-modules.ts'

export interface FoundBinary {
  readonly wanted: WantedModule
  /** Absent: not found. */
  readonly path?: string
  /** Name of the source. */
  readonly source?: string
}

/** Asks the sources one after the other for what is still missing; a failure ends its source only. */
export async function findBinaries(
  wanted: readonly WantedModule[],
  sources: readonly BinarySource[],
  onProblem: (message: string) => void,
): Promise<FoundBinary[]> {
  const found = new Map<WantedModule, FoundBinary>()
  for (const source of sources) {
    const missing = wanted.filter((module) => !found.has(module))
    try {
      await source.find(missing, (module, path) => {
        found.set(module, { wanted: module, path, source: source.name })
      })
    } catch (error) {
      onProblem(`Left out ${source.name}: ${messageOf(error)}`)
    }
  }
  return wanted.map((module) => found.get(module) ?? { wanted: module })
}
