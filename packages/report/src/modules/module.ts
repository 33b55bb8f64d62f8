import type { FileMapping } from '../core/core-facts.ts'
import type { MemoryReader } from '../core/memory.ts'
import { buildIdOfNotes, searchBuildId } from '../elf/notes.ts'
import { bufferSource, fileSource, type BlockCache } from '../elf/byte-source.ts'
import { ElfFile } from '../elf/elf-file.ts'
import {
  EHDR_BYTES,
  integers,
  parseElfHeader,
  parseProgramHeader,
  programHeaderBytes,
  PT_NOTE,
} from '../elf/elf-header.ts'
import { createFrameIndex, type FrameIndex } from '../unwind/frame-index.ts'
import { openGoTable, type GoTable } from '../names/go-table.ts'

/**
 * The descriptor of a module's file, already open, which stays the caller's; undefined when there is none.
 * It may be any file: it is used only if its build-id is the one that the core has.
 */
export type OpenModule = (path: string, mapping: FileMapping) => number | undefined

const PAGE_BYTES = 4096
const MAX_GAP_BYTES = 256 * 1024 * 1024

/** One file that the process had mapped, at one place. */
export class Module {
  readonly path: string
  readonly #mappings: FileMapping[]
  readonly #memory: MemoryReader
  readonly #loadFile: () => ElfFile | undefined
  #elf: ElfFile | undefined | null = null
  #frames: FrameIndex | undefined
  #bias: number | undefined
  #go: GoTable | undefined | null = null
  #isElf: boolean | undefined
  #coreBuildId: string | undefined | null = null
  /** Why its file is not used. */
  problem: string | undefined

  constructor(
    mapping: FileMapping,
    memory: MemoryReader,
    source: { readonly open: OpenModule; readonly cache: BlockCache } | { readonly elf: ElfFile },
  ) {
    this.path = mapping.path
    this.#mappings = [mapping]
    this.#memory = memory
    this.#loadFile = (): ElfFile | undefined =>
      'elf' in source ? source.elf : this.#open(source.open, source.cache)
  }

  get start(): number {
    return this.#mappings[0]?.start ?? 0
  }

  /** Behind its last mapping; parts that were moved far away are not between. */
  get end(): number {
    let { end } = this.#mappings[0] ?? { end: 0 }
    for (const mapping of this.#mappings) {
      if (mapping.start - end < MAX_GAP_BYTES) end = Math.max(end, mapping.end)
    }
    return end
  }

  get mappings(): readonly FileMapping[] {
    return this.#mappings
  }

  add(mapping: FileMapping): void {
    this.#mappings.push(mapping)
  }

  /** Its file; undefined when there is none, or not the one that was mapped. */
  get elf(): ElfFile | undefined {
    if (this.#elf === null) this.#elf = this.#loadFile()
    return this.#elf
  }

  get frames(): FrameIndex | undefined {
    const { elf } = this
    if (elf !== undefined) this.#frames ??= createFrameIndex(elf)
    return this.#frames
  }

  /** Go's own table of functions. */
  get go(): GoTable | undefined {
    if (this.#go === null) this.#go = this.elf && openGoTable(this.elf)
    return this.#go
  }

  /** It begins as an ELF file does. */
  get isElf(): boolean {
    this.#isElf ??= parseElfHeader(this.firstPage().subarray(0, EHDR_BYTES)) !== undefined
    return this.#isElf
  }

  /** As the core has it, else as its file has it. */
  get buildId(): string | undefined {
    return this.buildIdInCore ?? this.elf?.buildId
  }

  /** By the first page of the file, which the kernel writes into every core. */
  get buildIdInCore(): string | undefined {
    if (this.#coreBuildId === null) this.#coreBuildId = buildIdOfPage(this.#page())
    return this.#coreBuildId
  }

  /** The first page, of the core or else of the file. */
  firstPage(): Buffer {
    const page = this.#page()
    return page.length > 0 ? page : (this.elf?.source.read(0, PAGE_BYTES) ?? page)
  }

  /** An address of the process in the file's own numbering, which its tables use. */
  vaddrOf(address: number): number {
    const mapping = this.#mappingOf(address)
    if (mapping === undefined) return address - this.bias
    const offset = mapping.offset + address - mapping.start
    const vaddr = address - this.bias
    const { elf } = this
    if (elf === undefined || elf.offsetOf(vaddr) === offset) return vaddr
    // V8 moves a part of its program to another place
    const load = elf.loads.find((entry) => {
      return offset >= entry.offset && offset < entry.offset + entry.filesz
    })
    return load === undefined ? vaddr : offset - load.offset + load.vaddr
  }

  /** What is added to an address of the file to have the one in memory. */
  get bias(): number {
    this.#bias ??= this.#findBias()
    return this.#bias
  }

  /** Code at an address of the process: of the file, else of the core. */
  code(address: number, length: number): Buffer {
    const mapping = this.#mappingOf(address)
    const { elf } = this
    if (elf === undefined || mapping === undefined) return this.#memory.read(address, length)
    return elf.source.read(mapping.offset + address - mapping.start, length)
  }

  #mappingOf(address: number): FileMapping | undefined {
    return this.#mappings.find(({ start, end }) => address >= start && address < end)
  }

  #findBias(): number {
    const first = this.#mappings[0]
    const { elf } = this
    if (first === undefined || elf === undefined) return this.start
    const load =
      elf.loads.find(({ offset, filesz }) => {
        const page = Math.floor(offset / PAGE_BYTES) * PAGE_BYTES
        return first.offset >= page && first.offset < offset + filesz
      }) ?? elf.loads[0]
    return load === undefined ? first.start : first.start - first.offset - load.vaddr + load.offset
  }

  /** Not kept: there may be thousands. */
  #page(): Buffer {
    const first = this.#mappings[0]
    return first?.offset === 0 ? this.#memory.read(first.start, PAGE_BYTES) : Buffer.alloc(0)
  }

  #open(open: OpenModule, cache: BlockCache): ElfFile | undefined {
    const [first] = this.#mappings
    if (first === undefined) return undefined
    const elf = this.#openFile(open, first, cache)
    if (elf === undefined) return undefined
    const expected = this.buildIdInCore
    if (expected === elf.buildId && expected !== undefined) return elf
    // without a build-id the first pages are compared; a core that was cut has nothing to compare
    if (expected === undefined) {
      const page = this.#page()
      if (elf.source.read(0, page.length).equals(page)) return elf
      this.problem = 'its file begins with another page than the core has'
      return undefined
    }
    this.problem = `its file has ${elf.buildId === undefined ? 'no build-id' : `build-id ${elf.buildId}`}, not ${expected}`
    return undefined
  }

  #openFile(open: OpenModule, first: FileMapping, cache: BlockCache): ElfFile | undefined {
    try {
      const fd = open(this.path, first)
      this.problem = 'its file is not available'
      if (fd === undefined) return undefined
      const elf = ElfFile.open(fileSource(fd, cache))
      this.problem = elf ? undefined : 'its file is no 64-bit little-endian ELF file'
      return elf
    } catch (error) {
      this.problem = `its file cannot be read: ${error instanceof Error ? error.message : String(error)}`
      return undefined
    }
  }
}

/** The vdso, whose file is in memory. */
export function vdsoModule(start: number, memory: MemoryReader): Module | undefined {
  const image = memory.read(start, 16_384)
  const elf = ElfFile.open(bufferSource(image))
  if (elf === undefined) return undefined
  const mapping = { start, end: start + image.length, offset: 0, path: '[vdso]' }
  return new Module(mapping, memory, { elf })
}

function buildIdOfPage(page: Buffer): string | undefined {
  const header = parseElfHeader(page.subarray(0, EHDR_BYTES))
  if (header === undefined) return undefined
  const read = integers(header)
  const entryBytes = programHeaderBytes(header)
  for (let index = 0; index < Math.min(header.phnum, 64); index++) {
    const at = header.phoff + index * entryBytes
    if (at + entryBytes > page.length) break
    const { type, offset, filesz } = parseProgramHeader(page, at, read)
    const found =
      type === PT_NOTE ? buildIdOfNotes(page.subarray(offset, offset + filesz), read) : undefined
    if (found !== undefined) return found
  }
  return searchBuildId(page)
}
