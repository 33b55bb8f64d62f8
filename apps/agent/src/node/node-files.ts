import { access, mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import writeFileAtomic from 'write-file-atomic'
import { codeOf } from '../error.ts'

/** What the agent puts into HOST_DIR besides the backups of the sysctls. */
export interface NodeFiles {
  readonly composer: string
  readonly composerEnv: string
  readonly crictl: string
  readonly crictlConfig: string
  /** A line per crash; when it is long, it is renamed to end in `.1` and a new file begins. */
  readonly composerLog: string
  /** List of the files that are ours; exists from before the first file until `remove` has restored the node. */
  readonly deployed: string
  /** The time up to which bundles were counted. */
  readonly counted: string
  /** The last crashes, and how often each fingerprint was seen. */
  readonly crashes: string
  /** Names of canaries whose bundles may still exist. */
  readonly canaries: string
  /** The receiver listens here for its agent. */
  readonly receiverLink: string
  /** Asks the composer of one canary to set the pattern of the receiver. */
  readonly receiverRequest: string
  /** Exists while `remove` runs: a running agent must not restore its own sysctls then. */
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
    counted: join(hostDir, '.counted'),
    crashes: join(hostDir, '.crashes'),
    canaries: join(hostDir, '.canary'),
    receiverLink: join(hostDir, 'receiver-agent.sock'),
    receiverRequest: join(hostDir, '.receiver'),
    removing: join(hostDir, '.removing'),
  }
}

/**
 * Whether `remove` was run: ours creates `.removing` before it changes anything, and deletes
 * `.deployed` at its end. That of version 9 deletes cdc and .env and neither of these.
 */
export async function wasRemoved(hostDir: string): Promise<boolean> {
  const { deployed, removing } = nodeFiles(hostDir)
  return (await exists(removing)) || !(await exists(deployed))
}

/** What a crash needs and another program deleted. */
export async function missingFiles(hostDir: string): Promise<string[]> {
  const missing: string[] = []
  for (const name of NEEDED) if (!(await exists(join(hostDir, name)))) missing.push(name)
  return missing
}

/** What a crash needs; always written by us, also where another program's file has the name. */
export const NEEDED = ['cdc', '.env'] as const

/** Directories of libraries in HOST_DIR: one per content, so that two versions can stand side by side. */
export const LIBRARY_DIRECTORY: RegExp = /^lib-[0-9a-f]{12}(\.new)?$/

/** Directories of the composers: for their concurrency limiter, for counted crashes and for counted cores. */
export const STATE_DIRECTORIES: readonly string[] = ['gate', 'rate', 'fingerprints']

const RUN_BY_THE_KERNEL = /^(cdc|koffi\.node|\.env|\.deployed|receiver\.sock)$/
const STATE_FILE = /^(composer\.log(\.(1|lock))?|\.canary|\.counted|\.crashes)$/
// of the receiver; `straight` of agents before 0.1.0 that took bundles from composers
const SOCKET = /^(receiver-(agent|queue)\.sock|\.receiver|straight)$/
// what a write that was killed leaves: of ours `.new`, of write-file-atomic a number
const UNFINISHED =
  /^((cdc|koffi\.node|\.env|\.deployed|\.canary|\.counted|\.crashes|crictl|crictl\.yaml|(core_pattern|core_pipe_limit|suid_dumpable)\.bak)\.(new|\d+)|\.straight\.\d+|\.receiver(-(agent|queue))?\.sock\.\d+|\.receiver\.\d+)$/

/** Whether a file of this name in HOST_DIR is there because of us, and may go. */
export function isDeployed(
  name: string,
  { patternIsOurs, deployed }: { patternIsOurs: boolean; deployed: ReadonlySet<string> },
): boolean {
  // a crash needs these for as long as the kernel runs them
  if (RUN_BY_THE_KERNEL.test(name) || LIBRARY_DIRECTORY.test(name)) return !patternIsOurs
  return STATE_FILE.test(name) || SOCKET.test(name) || UNFINISHED.test(name) || deployed.has(name)
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

const MAX_NAMES = 100

/**
 * Names of the files in `hostDir` that came from us; `undefined`: nothing is set up. Other programs
 * may use the directory too, such as GKE for its own crictl.
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
 * Lists files of these names as ours, before they are written. One of `ifFree` that exists already
 * and is not ours stays another program's. Resolves with the names that may be written.
 */
export async function registerFiles(
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

/**
 * Makes `path` and what is missing above it, 0700. Node's own recursive mkdir never returns where
 * mkdir(2) itself answers ENOENT, as it does below /proc: a bad setting would hang the agent.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && path !== dirname(path)) {
      await makeDirectory(dirname(path))
      await mkdir(path, { mode: 0o700 }).catch(async (again: unknown) =>
        acceptExisting(path, again),
      )
    } else await acceptExisting(path, error)
  }
}

/** It exists already, or another process was quicker. */
async function acceptExisting(path: string, error: unknown): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory() !== true) throw error
}
