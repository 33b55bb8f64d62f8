import type { CoreFacts } from '../core/core-facts.ts'
import { EM_AARCH64, EM_X86_64 } from '../elf/elf-header.ts'
import { AARCH64 } from './aarch64.ts'
import type { Architecture } from './architecture.ts'
import { X86_64 } from './x86-64.ts'

/** The machine of a core, if its stacks can be unwound: 64-bit little-endian x86-64 and arm64. */
export function architectureOf(
  facts: Pick<CoreFacts, 'bits' | 'littleEndian' | 'machine'>,
): Architecture | undefined {
  if (facts.bits !== 64 || !facts.littleEndian) return undefined
  if (facts.machine === EM_X86_64) return X86_64
  return facts.machine === EM_AARCH64 ? AARCH64 : undefined
}
