import { PF_R, PF_W, PF_X, PT_LOAD, type ProgramHeader } from '../elf/elf-header.ts'

/** As many mappings as a process may have by default; of more, the rest is left out. */
export const MAX_SEGMENTS = 65_536
const COLUMNS = 4

/** One PT_LOAD of a core: memory that the process had, of which `filesz` bytes are in the file. */
export interface Segment {
  readonly vaddr: number
  readonly memsz: number
  readonly offset: number
  readonly filesz: number
  readonly flags: number
}

/** A table as plain data, for a message to another process. */
export interface PlainSegments {
  /** Of each segment vaddr, memsz, offset and filesz. */
  readonly numbers: Float64Array
  readonly flags: Uint8Array
}

/** The PT_LOADs of a core, found by address whatever their order in the file; compact, as there may be 65,535. */
export class SegmentTable {
  #numbers: Float64Array = new Float64Array(64 * COLUMNS)
  #flags: Uint8Array = new Uint8Array(64)
  #order: Uint32Array | undefined
  #length = 0

  static from({ numbers, flags }: PlainSegments): SegmentTable {
    const table = new SegmentTable()
    table.#numbers = numbers
    table.#flags = flags
    table.#length = flags.length
    return table
  }

  get length(): number {
    return this.#length
  }

  /** Other types than PT_LOAD, those beyond the limit, and memory that no process has are ignored. */
  add({ type, flags, vaddr, memsz, offset, filesz }: ProgramHeader): void {
    if (type !== PT_LOAD || this.#length === MAX_SEGMENTS) return
    // files that were only read, of which a database may have mapped 100,000
    if (filesz === 0 && flags === PF_R) return
    if (vaddr + memsz > Number.MAX_SAFE_INTEGER || !Number.isSafeInteger(offset + filesz)) return
    if (this.#length === this.#flags.length) this.#grow()
    this.#numbers.set([vaddr, memsz, offset, filesz], this.#length * COLUMNS)
    this.#flags[this.#length] = flags
    this.#length++
    this.#order = undefined
  }

  toPlain(): PlainSegments {
    return {
      numbers: this.#numbers.slice(0, this.#length * COLUMNS),
      flags: this.#flags.slice(0, this.#length),
    }
  }

  at(index: number): Segment | undefined {
    if (index < 0 || index >= this.#length) return undefined
    return {
      vaddr: this.#number(index, 0),
      memsz: this.#number(index, 1),
      offset: this.#number(index, 2),
      filesz: this.#number(index, 3),
      flags: this.#flags[index] ?? 0,
    }
  }

  /** The segment that has this address. */
  find(address: number): Segment | undefined {
    const index = this.#below(address)
    if (index === undefined || !this.#covers(index, address)) return undefined
    return this.at(index)
  }

  /** The process had memory here. */
  has(address: number): boolean {
    const index = this.#below(address)
    return index !== undefined && this.#covers(index, address)
  }

  isExecutable(address: number): boolean {
    return this.#hasFlag(address, PF_X)
  }

  isWritable(address: number): boolean {
    return this.#hasFlag(address, PF_W)
  }

  /** The writable segment that has this address, or the nearest one that begins at most `distance` above it. */
  findWritable(address: number, distance: number): Segment | undefined {
    const order = this.#sorted()
    let place = this.#rank(address)
    for (let tries = 0; tries < 8 && place < order.length; tries++, place++) {
      const segment = place < 0 ? undefined : this.at(order[place] ?? -1)
      if (segment === undefined) continue
      if (segment.vaddr > address + distance) return undefined
      if ((segment.flags & PF_W) !== 0 && segment.vaddr + segment.memsz > address) return segment
    }
    return undefined
  }

  /** The segment directly below this address, without a gap. */
  findBelow(address: number): Segment | undefined {
    return this.find(address - 1)
  }

  #hasFlag(address: number, flag: number): boolean {
    const index = this.#below(address)
    return (
      index !== undefined &&
      this.#covers(index, address) &&
      ((this.#flags[index] ?? 0) & flag) !== 0
    )
  }

  #covers(index: number, address: number): boolean {
    const vaddr = this.#number(index, 0)
    return address >= vaddr && address < vaddr + this.#number(index, 1)
  }

  /** Index of the last segment that begins at or below this address. */
  #below(address: number): number | undefined {
    return this.#sorted()[this.#rank(address)]
  }

  #rank(address: number): number {
    const order = this.#sorted()
    let low = 0
    let high = order.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#number(order[middle] ?? 0, 0) <= address) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #sorted(): Uint32Array {
    if (this.#order !== undefined) return this.#order
    const order = Uint32Array.from({ length: this.#length }, (_, index) => index)
    order.sort((a, b) => this.#number(a, 0) - this.#number(b, 0))
    this.#order = order
    return order
  }

  #number(index: number, column: number): number {
    return this.#numbers[index * COLUMNS + column] ?? 0
  }

  #grow(): void {
    const room = Math.min(this.#flags.length * 4, MAX_SEGMENTS)
    const numbers = new Float64Array(room * COLUMNS)
    numbers.set(this.#numbers)
    const flags = new Uint8Array(room)
    flags.set(this.#flags)
    this.#numbers = numbers
    this.#flags = flags
  }
}
