import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { copyFile, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { AgentError } from '../error.ts'
import { librariesOf, relocateExecutable } from './relocate.ts'

/** Directories of libraries in HOST_DIR: one per content, so that two versions can stand side by side. */
export const LIBRARY_DIRECTORY: RegExp = /^lib-[0-9a-f]{12}(\.new)?$/

/**
 * Puts the self-contained composer `source` (with `lib/` beside it) into `hostDir` as `cdc`, by
 * rename: a composer at work keeps the file and the libraries it was started with.
 * @throws AgentError `DEPLOY`
 */
export async function deployExecutable(source: string, hostDir: string): Promise<void> {
  const target = join(hostDir, 'cdc')
  try {
    const libraries = await installLibraries(join(dirname(source), 'lib'), hostDir)
    const replaced = await librariesInUse(target)
    await installRelocated(source, target, libraries)
    // the kernel may be starting the replaced executable right now: its libraries stay once more
    await removeOldLibraries(hostDir, [libraries, replaced])
  } catch (cause) {
    await rm(`${target}.new`, { force: true })
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new AgentError('DEPLOY', `Cannot deploy the composer \`${target}\`: ${why}`, { cause })
  }
}

async function installLibraries(source: string, hostDir: string): Promise<string> {
  const names = (await readdir(source)).toSorted()
  const hash = createHash('sha256')
  for (const name of names) hash.update(`${name}\0`).update(await readFile(join(source, name)))
  const target = join(hostDir, `lib-${hash.digest('hex').slice(0, 12)}`)
  const fresh = `${target}.new`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { mode: 0o700 })
  for (const name of names) await copySynced(join(source, name), join(fresh, name))
  try {
    await rename(fresh, target)
  } catch (error) {
    // a directory that is there came whole, by such a rename
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    await rm(fresh, { recursive: true })
  }
  return target
}

async function installRelocated(source: string, target: string, libraries: string): Promise<void> {
  const fresh = `${target}.new`
  await rm(fresh, { force: true })
  await copyFile(source, fresh)
  const handle = await open(fresh, 'r+')
  try {
    await handle.chmod(0o700)
    relocateExecutable(handle.fd, libraries)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(fresh, target)
  const directory = await open(dirname(target), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

async function copySynced(source: string, target: string): Promise<void> {
  await copyFile(source, target)
  const handle = await open(target, 'r')
  try {
    await handle.chmod(0o700)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Where the executable that is there now looks for its libraries; undefined if it is not of this kind. */
async function librariesInUse(executable: string): Promise<string | undefined> {
  let fd: number | undefined
  try {
    fd = openSync(executable, 'r')
    return librariesOf(fd)
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

async function removeOldLibraries(
  hostDir: string,
  keep: readonly (string | undefined)[],
): Promise<void> {
  const kept = new Set(keep.map((directory) => directory && basename(directory)))
  for (const name of await readdir(hostDir)) {
    if (!LIBRARY_DIRECTORY.test(name) || kept.has(name)) continue
    await rm(join(hostDir, name), { recursive: true, force: true })
  }
}
