import { closeSync, constants, lstatSync, openSync, readdirSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ManifestCore } from '@core-dump-handler/bundle'
import type { CaptureContext } from '../context.ts'
import type { ReportTask } from '../report/report-task.ts'
import { makeDirectory } from '../system/make-directory.ts'
import { errorCode, errorMessage } from '../text.ts'
import { appendByte } from './append-byte.ts'
import type { BundleDecision } from './select.ts'

/** Files in `fingerprints/` at most; the cores of further fingerprints are all taken. */
const MAX_FILES = 4096
/** Of a file: cores that failed are not uncounted any more in one that is longer. */
const MAX_BYTES = 65_536
/** `<fingerprint>-<seconds>-<number of the window since 1970>`. */
const FILE = /^[0-9a-f]{24}-(\d{1,5})-(\d{1,12})$/
const TAKEN = '+'
const FAILED = '-'

export interface FingerprintLimit {
  readonly decision: BundleDecision
  /** Uncounts the core when there is less of it than the settings allow, so that the next one is taken. */
  readonly settle: (core: ManifestCore) => void
}

/**
 * CORES_PER_FINGERPRINT per FINGERPRINT_WINDOW_SECONDS: after so many full cores of one fingerprint on this
 * node a crash is a record with report and minicore. A crash whose fingerprint cannot be known before its
 * core is read, or that cannot be counted, is taken.
 */
export async function limitFingerprint(
  allowed: BundleDecision,
  task: ReportTask,
  { home, settings, warnings }: CaptureContext,
): Promise<FingerprintLimit> {
  const { coresPerFingerprint: limit, fingerprintWindowSeconds: seconds } = settings
  const all = { decision: allowed, settle: () => {} }
  if (allowed.take !== 'core' || limit === 0 || home === undefined) return all
  const id = await task.fingerprint()
  if (id === undefined) return all
  try {
    const counted = await countCore(home, id, { limit, seconds })
    if (counted === undefined) return all
    if (counted.isTaken) {
      return {
        decision: allowed,
        settle: (core) => void (isPartial(core) && uncount(counted.file)),
      }
    }
    const reason = `There are ${limit} cores of the fingerprint ${id} within ${seconds} s; CORES_PER_FINGERPRINT is ${limit}`
    return { ...all, decision: { take: 'record', code: 'CORE_REPEATED', reason } }
  } catch (error) {
    // such as a full disk
    warnings.add('RATE_UNKNOWN', errorMessage(error))
    return all
  }
}

interface Window {
  readonly limit: number
  readonly seconds: number
}

/** Undefined where there is no room for another fingerprint. An empty file, of a process that was killed, counts none. */
export async function countCore(
  home: string,
  id: string,
  { limit, seconds }: Window,
): Promise<{ readonly file: string; readonly isTaken: boolean } | undefined> {
  const directory = join(home, 'fingerprints')
  const file = join(directory, `${id}-${seconds}-${Math.floor(Date.now() / 1000 / seconds)}`)
  const known = countIn(file)
  if (known !== undefined && known >= limit) return { file, isTaken: false }
  if (known === undefined && !(await hasRoom(directory))) return undefined
  const place = appendByte(file, TAKEN, { create: true })
  if (place === undefined || (countIn(file, place) ?? 0) <= limit) return { file, isTaken: true }
  // another process was faster
  uncount(file)
  return { file, isTaken: false }
}

/** Cores by the first `bytes` of the file; undefined when it does not exist. */
function countIn(file: string, bytes = 2 * MAX_BYTES): number | undefined {
  let fd: number
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    const buffer = Buffer.alloc(Math.min(bytes, 2 * MAX_BYTES))
    const marks = buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0))
    return marks.split(TAKEN).length - marks.split(FAILED).length
  } finally {
    closeSync(fd)
  }
}

/** Failing costs one core at most. */
function uncount(file: string): void {
  try {
    if (lstatSync(file).size < MAX_BYTES) appendByte(file, FAILED, { create: false })
  } catch {
    // the count stays
  }
}

/** Deletes the counts of windows that are over. */
async function hasRoom(directory: string): Promise<boolean> {
  await makeDirectory(directory)
  const names = readdirSync(directory)
  const over = names.filter(isOver)
  for (const name of over) rmSync(join(directory, name), { force: true })
  return names.length - over.length < MAX_FILES
}

function isOver(name: string): boolean {
  const [, seconds, index] = FILE.exec(name) ?? []
  return seconds !== undefined && (Number(index) + 1) * Number(seconds) * 1000 < Date.now()
}

/** Not whole, and not because it is too large for the settings: the next one may be. */
function isPartial({ complete, reasonCode }: ManifestCore): boolean {
  return !complete && reasonCode !== 'CORE_CUT'
}
