import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import writeFileAtomic from 'write-file-atomic'
import { exists } from './exists.ts'
import { nodeFiles } from './node-files.ts'

const MAX_NAMES = 100

/**
 * Names of the files in `hostDir` that came from us, a line each; `undefined`: nothing is set up.
 * The directory may be one that others use too, such as GKE's for its own crictl.
 */
export async function readDeployed(hostDir: string): Promise<ReadonlySet<string> | undefined> {
  try {
    const names = (await readFile(nodeFiles(hostDir).deployed, 'utf8')).split('\n', MAX_NAMES)
    return new Set(names.filter((name) => name !== ''))
  } catch {
    return undefined
  }
}

/**
 * Note, before they are written, that files of these names will be ours. One that is there already
 * and is not ours is left to whoever put it there. Resolves with the names that may be written.
 */
export async function claimFiles(
  hostDir: string,
  always: readonly string[],
  ifFree: readonly string[],
): Promise<ReadonlySet<string>> {
  const ours = new Set([...((await readDeployed(hostDir)) ?? []), ...always])
  for (const name of ifFree) if (!(await exists(join(hostDir, name)))) ours.add(name)
  const text = `${[...ours].toSorted().join('\n')}\n`
  await writeFileAtomic(nodeFiles(hostDir).deployed, text, { mode: 0o600 })
  return ours
}
