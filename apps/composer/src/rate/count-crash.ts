import { closeSync, constants, fstatSync, openSync, readdirSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectory } from '../make-directory.ts'

export interface RateWindow {
  /** `<key>-<seconds>-<number of the window since 1970>` in `<home>/rate`: one byte for each crash. */
  readonly file: string
  /** Of this crash, from 1. */
  readonly ordinal: number
}

/** So many files at most, agent or not; beyond, a pod's executables are counted together. */
const MAX_FILES = 4096
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants

/**
 * Counts a crash in the window that this moment is in. Appending is atomic, so composers need no
 * lock; two at the same moment may both get the higher ordinal.
 */
export function countCrash(
  home: string,
  key: string,
  coarseKey: string,
  windowSeconds: number,
): RateWindow {
  const directory = join(home, 'rate')
  const window = `${windowSeconds}-${Math.floor(Date.now() / 1000 / windowSeconds)}`
  const count = (name: string): RateWindow => {
    const file = join(directory, `${name}-${window}`)
    return { file, ordinal: append(file) }
  }
  const counted = inDirectory(directory, () => count(key))
  if (counted.ordinal > 1 || readdirSync(directory).length <= MAX_FILES) return counted
  return count(coarseKey)
}

function append(file: string): number {
  const fd = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600)
  try {
    writeSync(fd, '.')
    return fstatSync(fd).size
  } finally {
    closeSync(fd)
  }
}

/** Does `step`, and once more after making the directory it misses. */
function inDirectory<T>(directory: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    makeDirectory(directory)
    return step()
  }
}
