import type { ElfFacts } from '../elf/elf-facts.ts'
import { isIngestError } from '../error.ts'
import type { DrainCut } from './result.ts'

/** How the reading ended. */
export interface Ending {
  readonly bytes: number
  readonly maxBytes: number
  readonly elf: ElfFacts
  /** What stopped it before the end of the source. */
  readonly stopped?: {
    readonly cut: Exclude<DrainCut, 'truncated' | 'empty'>
    readonly why: unknown
  }
}

/** The same where only the first `bytes` could be written. */
export function cutShort(ending: Ending, bytes: number, why: unknown): Ending {
  const full = isIngestError(why) && why.code === 'NO_SPACE'
  return { ...ending, bytes, stopped: { cut: full ? 'no-space' : 'write-error', why } }
}

/** Whether all came that should have, and if not, why. */
export function judge(ending: Ending): { complete: boolean; cut?: DrainCut; reason?: string } {
  const cut = cutOf(ending)
  return cut === undefined
    ? { complete: true }
    : { complete: false, cut, reason: reasonOf(cut, ending) }
}

function cutOf({ bytes, elf, stopped }: Ending): DrainCut | undefined {
  if (stopped) return stopped.cut
  if (bytes === 0) return 'empty'
  return bytes < (elf.expectedBytes ?? 0) ? 'truncated' : undefined
}

function reasonOf(cut: DrainCut, { bytes, maxBytes, elf, stopped }: Ending): string {
  const promised =
    elf.expectedBytes === undefined ? '' : ` of the ${elf.expectedBytes} its ELF headers promise`
  const so = `after ${bytes} bytes${promised}`
  const reasons: Record<DrainCut, string> = {
    aborted: `Stopped ${so}: ${messageOf(stopped?.why)}`,
    limit: `Cut ${so}: the limit is ${maxBytes} bytes`,
    'read-error': `Reading failed ${so}: ${messageOf(stopped?.why)}`,
    'no-space': `Cut ${so}, so that the rest of the archive has room: ${messageOf(stopped?.why)}`,
    'write-error': `Cut ${so}: ${messageOf(stopped?.why)}`,
    truncated: `The source ended ${so}: whoever wrote it was stopped, as by SIGKILL`,
    empty: 'The source ended without a byte',
  }
  return reasons[cut]
}

function messageOf(why: unknown): string {
  return why instanceof Error ? why.message : String(why)
}
