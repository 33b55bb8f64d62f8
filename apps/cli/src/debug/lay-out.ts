import { mkdir, symlink } from 'node:fs/promises'
import { basename, dirname, join, posix } from 'node:path'
import { sonameOf } from './elf-identity.ts'
import type { FoundBinary } from './find-binaries.ts'

/**
 * Lays out binaries for a debugger: each at its path in the process, and under its file name and its soname
 * at the top, as a core has the loader's names and a minicore those of the files. Names that several files
 * claim are left out, so that no debugger takes one for the other.
 */
export async function layOut(directory: string, binaries: readonly FoundBinary[]): Promise<void> {
  const claims = new Map<string, Set<string>>()
  for (const { wanted, path } of binaries) {
    // a file that is missing claims its name too
    const target = path ?? wanted.path
    const soname = path === undefined ? undefined : sonameOf(path)
    for (const name of [basename(wanted.path), soname]) {
      if (name === undefined || !isName(name)) continue
      claims.set(name, (claims.get(name) ?? new Set()).add(target))
    }
    if (path !== undefined) await link(directory, posix.normalize(`/${wanted.path}`), path)
  }
  const found = new Set(binaries.map(({ path }) => path))
  for (const [name, targets] of claims) {
    const [target] = targets
    if (target === undefined || targets.size > 1 || !found.has(target)) continue
    await link(directory, name, target)
  }
}

/** One path segment. */
function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/')
}

async function link(directory: string, name: string, target: string): Promise<void> {
  const path = join(directory, name)
  await mkdir(dirname(path), { recursive: true })
  await symlink(target, path).catch((error: unknown) => {
    // two modules of one path: the first is the one that was mapped first
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  })
}
