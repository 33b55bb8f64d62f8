import {
  closeSync,
  constants,
  fstatSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { CaptureContext } from '../context.ts'
import type { Crash } from '../crash.ts'
import { errorCode, errorMessage } from '../text.ts'
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
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants

/**
 * RATE_CRASHES per RATE_WINDOW_SECONDS: the first cores are taken; the first crash above the limit is
 * a record with its owner; of all others only the number is kept, which the agent puts into
 * a record when the window is over. A record each would be files without end: a loop may crash every
 * 10 ms.
 */
export function limitRate(
  crash: Crash,
  workload: Workload,
  { home, settings, warnings }: CaptureContext,
): Decision {
  const { rateCrashes: limit, rateWindowSeconds: seconds } = settings
  if (home === undefined || limit === 0) return { take: 'core' }
  try {
    const { file, ordinal } = countCrash(home, counterNames(workload), seconds)
    if (ordinal <= limit) return { take: 'core' }
    const reason = `Crash ${ordinal} of this workload within ${seconds} s; RATE_CRASHES is ${limit}`
    const { exeName: comm, signalName, hostname } = crash
    if (!isFirstAbove(file, { ...workload, comm, signalName, hostname, limit })) {
      return { take: 'nothing', reason }
    }
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
 * `<home>/rate`, one byte for each crash. Appending is atomic, so that no lock is needed.
 */
export function countCrash(
  home: string,
  counters: readonly string[],
  windowSeconds: number,
): { readonly file: string; readonly ordinal: number } {
  const directory = join(home, 'rate')
  const window = `${windowSeconds}-${Math.floor(Date.now() / 1000 / windowSeconds)}`
  const files = counters.map((name) => join(directory, `${name}-${window}`))
  for (const file of files) {
    // the last counter is for all that have no room for one of their own
    const mayCreate = (): boolean => hasRoom(directory) || file === files.at(-1)
    const ordinal = append(file) ?? (mayCreate() ? append(file, O_CREAT) : undefined)
    if (ordinal !== undefined) return { file, ordinal }
  }
  throw new Error(`Cannot count the crash in \`${directory}\``)
}

/** The place of this crash in the file, from 1; undefined when the file does not exist. */
function append(file: string, create = 0): number | undefined {
  let fd: number
  try {
    fd = openSync(file, O_WRONLY | O_APPEND | O_NOFOLLOW | create, 0o600)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    writeSync(fd, '.')
    return positionOf(fd) ?? fstatSync(fd).size
  } finally {
    closeSync(fd)
  }
}

/** Where the last write to `fd` ended, proc_pid_fdinfo(5): unlike the size, it never counts others. */
function positionOf(fd: number): number | undefined {
  try {
    const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')
    const position = /^pos:\t(\d+)$/m.exec(text)?.[1]
    return position === undefined ? undefined : Number(position)
  } catch {
    return undefined
  }
}

function hasRoom(directory: string): boolean {
  if (!existsSync(directory)) makeOne(directory)
  return readdirSync(directory).length < MAX_FILES
}

function makeOne(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    // another process was first
    if (errorCode(error) !== 'EEXIST') throw error
  }
}

/** Whether this crash creates `<file>.json`: of all above the limit exactly one does. */
function isFirstAbove(file: string, workload: SuppressedWorkload): boolean {
  const path = `${file}.json`
  try {
    writeFileSync(path, JSON.stringify(workload), { mode: 0o600, flag: 'wx' })
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    rmSync(path, { force: true })
    throw error
  }
}
