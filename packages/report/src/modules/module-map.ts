import type { CoreFacts } from '../core/core-facts.ts'
import type { MemoryReader } from '../core/memory.ts'
import { AT } from '../elf/notes.ts'
import type { BlockCache } from '../elf/byte-source.ts'
import { Module, vdsoModule, type OpenModule } from './module.ts'

interface Range {
  readonly start: number
  readonly end: number
  readonly module: Module
}

/** The modules of a process, found by address. */
export class ModuleMap {
  readonly modules: readonly Module[]
  readonly #ranges: readonly Range[]

  constructor(facts: CoreFacts, memory: MemoryReader, open: OpenModule, cache: BlockCache) {
    const modules = groupMappings(facts, memory, open, cache)
    const vdsoAt = facts.auxv.get(AT.SYSINFO_EHDR)
    const vdso = vdsoAt === undefined ? undefined : vdsoModule(vdsoAt, memory)
    this.modules = vdso ? [...modules, vdso] : modules
    this.#ranges = this.modules
      .flatMap((module) => module.mappings.map(({ start, end }) => ({ start, end, module })))
      .toSorted((a, b) => a.start - b.start)
  }

  find(address: number): Module | undefined {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ranges[middle]?.start ?? 0) <= address) low = middle + 1
      else high = middle
    }
    const range = this.#ranges[low - 1]
    return range !== undefined && address < range.end ? range.module : undefined
  }
}

/** Mappings of one file are one module, unless its first page is mapped again behind another file. */
function groupMappings(
  facts: CoreFacts,
  memory: MemoryReader,
  open: OpenModule,
  cache: BlockCache,
): Module[] {
  const modules: Module[] = []
  const byPath = new Map<string, Module>()
  let previous: Module | undefined
  for (const mapping of facts.mappings) {
    const known = byPath.get(mapping.path)
    if (known !== undefined && (known === previous || mapping.offset > 0)) {
      known.add(mapping)
      previous = known
      continue
    }
    previous = new Module(mapping, memory, { open, cache })
    byPath.set(mapping.path, previous)
    modules.push(previous)
  }
  return modules
}
