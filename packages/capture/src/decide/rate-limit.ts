import { existsSync, linkSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { CaptureContext } from '../context.ts'
import type { Crash } from '../crash.ts'
import { makeDirectory } from '../system/make-directory.ts'
import { errorCode, errorMessage } from '../text.ts'
import { appendByte } from './append-byte.ts'
import type { Decision } from './select.ts'
import { counterNames, type Workload } from './workload.ts'

/** `<counter>.json`, for the agent that closes the window: the workload that was counted in it. */
export interface SuppressedWorkload {
  readonly scope: string
  readonly exe: string
  readonly comm: string
  readonly signal: string
  readonly signalName: string
  readonly hostname: string
  /** RATE_CRASHES: what the window's count exceeds was suppressed. */
  readonly limit: number
}

/** Files in `rate/` at most; beyond, workloads without a counter are counted together. */
const MAX_FILES = 4096

/**
 * RATE_CRASHES per RATE_WINDOW_SECONDS: the first cores are taken; the first crash above the limit is
 * a record with its owner; of all others only the number is kept, which the agent puts into
 * a record when the window is over. A record each would be files without end: a loop may crash every
 * 10 ms.
 */
export async function limitRate(
  crash: Crash,
  workload: Workload,
  { home, settings, warnings }: CaptureContext,
): Promise<Decision> {
  const { rateCrashes: limit, rateWindowSeconds: seconds } = settings
  if (home === undefined || limit === 0) return { take: 'core' }
  try {
    const { file, ordinal } = await countCrash(home, counterNames(workload), seconds)
    if (ordinal <= limit) return { take: 'core' }
    const reason = `Crash ${ordinal} of this workload within ${seconds} s; RATE_CRASHES is ${limit}`
    const { exeName: comm, signalName, hostname } = crash
    const facts: SuppressedWorkload = { ...workload, comm, signalName, hostname, limit }
    // of all crashes above the limit exactly one creates it
    if (!createOnce(`${file}.json`, JSON.stringify(facts))) return { take: 'nothing', reason }
    return {
      take: 'record',
      code: 'CORE_SUPPRESSED',
      reason: `${reason}; further ones are counted`,
    }
  } catch (error) {
    // such as a full disk: a crash that cannot be counted is taken
    warnings.add('RATE_UNKNOWN', errorMessage(error))
    return { take: 'core' }
  }
}

/**
 * Counts a crash in the present window: `<counter>-<seconds>-<number of the window since 1970>` in
 * `<home>/rate`, one byte for each crash. An empty one, of a process that was killed, counts none.
 */
export async function countCrash(
  home: string,
  counters: readonly string[],
  windowSeconds: number,
): Promise<{ readonly file: string; readonly ordinal: number }> {
  const directory = join(home, 'rate')
  const window = `${windowSeconds}-${Math.floor(Date.now() / 1000 / windowSeconds)}`
  const files = counters.map((name) => join(directory, `${name}-${window}`))
  for (const file of files) {
    // the last counter is for all that have no room for one of their own
    const mayCreate = async (): Promise<boolean> =>
      (await hasRoom(directory)) || file === files.at(-1)
    const ordinal =
      appendByte(file, '.', { create: false }) ??
      ((await mayCreate()) ? appendByte(file, '.', { create: true }) : undefined)
    if (ordinal !== undefined) return { file, ordinal }
  }
  throw new Error(`Cannot count the crash in \`${directory}\``)
}

async function hasRoom(directory: string): Promise<boolean> {
  await makeDirectory(directory)
  return readdirSync(directory).length < MAX_FILES
}

/**
 * Creates the file, 0600, with all of its text: of several processes exactly one does, and a kill at any
 * moment leaves no file with a part of it. False when it exists.
 */
export function createOnce(path: string, text: string): boolean {
  if (existsSync(path)) return false
  const unique = `${process.pid}-${process.hrtime.bigint()}`
  const part = join(dirname(path), `.${basename(path)}.${unique}.part`)
  try {
    writeFileSync(part, text, { mode: 0o600, flag: 'wx' })
    linkSync(part, path)
    return true
  } catch (error) {
    const code = errorCode(error)
    if (code === 'EEXIST') return false
    // a file system without hard links: two processes may both create it
    if (code !== 'EPERM' && code !== 'ENOTSUP') throw error
    renameSync(part, path)
    return true
  } finally {
    rmSync(part, { force: true })
  }
}
