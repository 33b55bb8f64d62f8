import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import writeFileAtomic from 'write-file-atomic'
import { LIBRARY_DIRECTORY } from '../deploy/deploy-executable.ts'

/** What the agent puts into HOST_DIR besides the backups of the sysctls. */
export interface NodeFiles {
  readonly composer: string
  readonly composerEnv: string
  readonly crictl: string
  readonly crictlConfig: string
  /** A line per crash; beyond its size it goes on in a new file, and the old one ends in `.1`. */
  readonly composerLog: string
  /** What of these is ours; there from before the first file until `remove` has given the node back. */
  readonly deployed: string
  /** There while `remove` is at work: whoever guards the sysctls must not put them back. */
  readonly removing: string
}

export function nodeFiles(hostDir: string): NodeFiles {
  return {
    composer: join(hostDir, 'cdc'),
    composerEnv: join(hostDir, '.env'),
    crictl: join(hostDir, 'crictl'),
    crictlConfig: join(hostDir, 'crictl.yaml'),
    composerLog: join(hostDir, 'composer.log'),
    deployed: join(hostDir, '.deployed'),
    removing: join(hostDir, '.removing'),
  }
}

/**
 * Our `remove` says so before it changes anything, and forgets what was deployed before it takes
 * that back. That of version 9 deletes cdc and .env and knows of neither.
 */
export async function wasRemoved(hostDir: string): Promise<boolean> {
  const { deployed, removing } = nodeFiles(hostDir)
  return (await exists(removing)) || !(await exists(deployed))
}

/** What a crash needs and somebody deleted. */
export async function missingFiles(hostDir: string): Promise<string[]> {
  const missing: string[] = []
  for (const name of NEEDED) if (!(await exists(join(hostDir, name)))) missing.push(name)
  return missing
}

/** What a crash needs; always written by us, whoever had it before. */
export const NEEDED = ['cdc', '.env'] as const

/** Directories in which composers keep who takes turns and whose crashes were counted. */
export const STATE_DIRECTORIES: readonly string[] = ['gate', 'rate']

const RUN_BY_THE_KERNEL = /^(cdc|\.env|\.deployed)$/
const LOG_FILE = /^(composer\.log|composer\.log\.1)$/
// the socket of agents before 0.1.0 that took bundles from composers
const SOCKET = /^straight$/
// what a write that was killed leaves: of ours `.new`, of write-file-atomic a number
const UNFINISHED =
  /^((cdc|\.env|\.deployed|crictl|crictl\.yaml|(core_pattern|core_pipe_limit|suid_dumpable)\.bak)\.(new|\d+)|\.straight\.\d+)$/

/** Whether a file of this name in HOST_DIR is there because of us, and may go. */
export function isDeployed(
  name: string,
  { patternIsOurs, deployed }: { patternIsOurs: boolean; deployed: ReadonlySet<string> },
): boolean {
  // a crash needs these for as long as the kernel runs them
  if (RUN_BY_THE_KERNEL.test(name) || LIBRARY_DIRECTORY.test(name)) return !patternIsOurs
  return LOG_FILE.test(name) || SOCKET.test(name) || UNFINISHED.test(name) || deployed.has(name)
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

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
