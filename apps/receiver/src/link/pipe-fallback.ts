import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorMessage } from '@core-dump-handler/capture'
import type { Log } from '../log.ts'

/**
 * Has the kernel start the composer again, where it still connects to `socketPath`; a pattern of
 * another program stays. Synchronous: each crash until then may be lost. True where it was written.
 */
export function fallBackToPipe(
  socketPath: string,
  pipePattern: string,
  sysctlRoot: string,
  log: Log,
): boolean {
  const file = join(sysctlRoot, 'kernel/core_pattern')
  try {
    if (readFileSync(file, 'utf8').trimEnd() !== `@@${socketPath}`) return false
    writeFileSync(file, `${pipePattern}\n`)
    log.write('warn', 'The kernel starts a composer for each crash again')
    return true
  } catch (error) {
    log.write('error', `Cannot write ${file}: ${errorMessage(error)}`)
    return false
  }
}
