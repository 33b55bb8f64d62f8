/** Number of bytes by how they were encoded. */
export interface Treated {
  readonly zeroBytes: number
  readonly storedBytes: number
  readonly compressedBytes: number
}

/** A place where the data of an entry can end, and what the data holds up to it. */
export interface Checkpoint {
  /** Position in the data. */
  readonly compressedBytes: number
  /** What the data up to it expands to. */
  readonly bytes: number
  readonly crc32: number
  readonly treated: Treated
}

/** What a part of the data expands to. */
export interface Plain {
  readonly bytes: number
  /** CRC-32 of all data up to its end. */
  readonly crc32: number
  treated: keyof Treated
}

const START: Checkpoint = {
  compressedBytes: 0,
  bytes: 0,
  crc32: 0,
  treated: { zeroBytes: 0, storedBytes: 0, compressedBytes: 0 },
}

/** The last places where an entry can end, for when the disk is full. */
export class Checkpoints {
  readonly #spareBytes: number
  readonly #list: Checkpoint[] = [START]
  #written = 0

  /** `spareBytes`: how far back a checkpoint must be kept, if there is that much data. */
  constructor(spareBytes: number) {
    this.#spareBytes = spareBytes
  }

  get last(): Checkpoint {
    return this.#list.at(-1) ?? START
  }

  /** The data can end after `compressedBytes`, which may not be written yet. */
  add(compressedBytes: number, plain: Plain): void {
    const { bytes, treated } = this.last
    this.#list.push({
      compressedBytes,
      bytes: bytes + plain.bytes,
      crc32: plain.crc32,
      treated: { ...treated, [plain.treated]: treated[plain.treated] + plain.bytes },
    })
  }

  /** So much is written; checkpoints too far back are dropped. */
  written(compressedBytes: number): void {
    this.#written = compressedBytes
    this.#list.splice(0, this.#indexOf(this.#withSpare))
  }

  /** The last written checkpoint; with `spare`, one that gives room back, if data remains then. */
  lastWritten({ spare }: { readonly spare: boolean }): Checkpoint {
    const index = this.#indexOf(spare ? this.#withSpare : this.#written)
    const first = Math.min(this.#indexOf(this.#written), 1)
    return this.#list[this.#list[index] === START ? first : index] ?? START
  }

  get #withSpare(): number {
    return Math.max(this.#written - this.#spareBytes, Math.floor(this.#written / 2))
  }

  /** Of the last checkpoint at or before `compressedBytes`. */
  #indexOf(compressedBytes: number): number {
    const next = this.#list.findIndex((checkpoint) => checkpoint.compressedBytes > compressedBytes)
    return (next < 0 ? this.#list.length : next) - 1
  }
}
