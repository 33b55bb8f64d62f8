/** What an ELF header and its program headers say; see elf(5). */
export interface ElfFacts {
  /** The stream begins with the magic of an ELF file. */
  readonly isElf: boolean
  /** Word size; absent when it is not an ELF or its class is unknown. */
  readonly bits?: 32 | 64
  readonly byteOrder?: 'little' | 'big'
  /** `ET_CORE`; absent when the header was not understood. */
  readonly isCore?: boolean
  /** Bytes the file must have to hold all its segments; absent when the headers do not tell. */
  readonly expectedBytes?: number
}
