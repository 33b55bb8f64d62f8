import { access, constants, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import fastGlob from 'fast-glob'
import { fromFileError } from '../error.ts'

/** The files of a bundle directory that concern the queue. */
export interface Listing {
  /** Names of finished bundles: regular files, not hidden, ending in `.zip`. */
  readonly bundles: readonly string[]
  /** Names of the resume records, and of the temporary files of killed runs that wrote one. */
  readonly records: readonly string[]
}

/** Read the directory, which must exist; no link is followed, no hidden file is taken for a bundle. */
export async function list(directory: string): Promise<Listing> {
  // the glob finds nothing in a directory that does not exist
  await access(directory, constants.R_OK | constants.X_OK)
  const names = await fastGlob.glob(['*.zip', '.*.upload.json', '.*.upload.json.*'], {
    cwd: directory,
    deep: 1,
    onlyFiles: true,
    followSymbolicLinks: false,
    unique: false,
  })
  return {
    bundles: names.filter((name) => !isHidden(name)),
    records: names.filter((name) => isHidden(name)),
  }
}

/** Paths of the finished bundles, the oldest first. */
export async function listByAge(directory: string): Promise<string[]> {
  const { bundles } = await list(directory).catch((cause: unknown) => {
    throw fromFileError('source', 'read the directory', directory, cause)
  })
  const ages = await Promise.all(
    bundles.map(async (name) => ({ name, ...(await measure(directory, name)) })),
  )
  return ages
    .toSorted((a, b) => (a.mtimeMs ?? 0) - (b.mtimeMs ?? 0))
    .map(({ name }) => join(directory, name))
}

/** Size and time of the last write; undefined when the file is gone. */
export async function measure(
  directory: string,
  name: string,
): Promise<{ bytes: number; mtimeMs: number } | undefined> {
  try {
    const { size, mtimeMs } = await lstat(join(directory, name))
    return { bytes: size, mtimeMs }
  } catch {
    // not UTF-8, so that it cannot be opened: the attempt to send it reports that
    return name.includes('\ufffd') ? { bytes: 0, mtimeMs: Date.now() } : undefined
  }
}

function isHidden(name: string): boolean {
  return name.startsWith('.')
}
