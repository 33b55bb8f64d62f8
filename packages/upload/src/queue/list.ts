import { access, constants, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import fastGlob from 'fast-glob'

/** What lies in a bundle directory, as far as it concerns us. */
export interface Listing {
  /** Names of finished bundles: regular files, not hidden, ending in `.zip`. */
  readonly bundles: readonly string[]
  /** Names of the resume records, and of what a killed run has left of writing one. */
  readonly records: readonly string[]
}

/** One look at the directory, which must be there; no link is followed, nothing hidden taken for a bundle. */
export async function list(directory: string): Promise<Listing> {
  // the glob finds nothing in a directory that is not there
  await access(directory, constants.R_OK | constants.X_OK)
  const names = await fastGlob.glob(['*.zip', '.*.upload.json', '.*.upload.json.*'], {
    cwd: directory,
    deep: 1,
    onlyFiles: true,
    followSymbolicLinks: false,
    unique: false,
  })
  return {
    bundles: names.filter((name) => !hidden(name)),
    records: names.filter((name) => hidden(name)),
  }
}

function hidden(name: string): boolean {
  return name.startsWith('.')
}

/** Size and time of the last write; undefined when it vanished meanwhile. */
export async function measure(
  directory: string,
  name: string,
): Promise<{ bytes: number; mtimeMs: number } | undefined> {
  try {
    const { size, mtimeMs } = await lstat(join(directory, name))
    return { bytes: size, mtimeMs }
  } catch {
    return name.includes('\ufffd') ? { bytes: 0, mtimeMs: Date.now() } : undefined
  }
}
