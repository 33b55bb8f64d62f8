import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode, errorMessage } from '@core-dump-handler/capture'
import type { Log } from './log.ts'

const CORE_PATTERN = '/proc/sys/kernel/core_pattern'

/**
 * Sets the pattern of the receiver, where the agent asks for it in `<home>/.receiver`: the name of
 * the process that it lets crash, and the pattern. A process that the kernel starts may write such a
 * pattern, a pod may not. Call it when the bundle is published.
 */
export function switchPattern(home: string, comm: string, log: Log): void {
  let request: string
  try {
    request = readFileSync(join(home, '.receiver'), 'utf8')
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') log.write('warn', errorMessage(error))
    return
  }
  const [name, pattern] = request.split('\n')
  if (name !== comm || pattern !== `@@${join(home, 'receiver.sock')}`) return
  try {
    // a pattern of another program stays
    if (!readFileSync(CORE_PATTERN, 'utf8').startsWith(`|${join(home, 'cdc')} `)) return
    writeFileSync(CORE_PATTERN, `${pattern}\n`)
    log.write('info', 'The kernel connects to the receiver for each crash')
  } catch (error) {
    log.write('error', `Cannot set the pattern \`${pattern}\`: ${errorMessage(error)}`)
  }
}
