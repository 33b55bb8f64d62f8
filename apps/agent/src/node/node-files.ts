import { join } from 'node:path'
import { LIBRARY_DIRECTORY } from '../deploy/deploy-executable.ts'
import { exists } from './exists.ts'

/** What the agent puts into HOST_DIR besides the backups of the sysctls. */
export interface NodeFiles {
  readonly composer: string
  readonly composerEnv: string
  readonly crictl: string
  readonly crictlConfig: string
  /** There while `remove` is at work: whoever guards the sysctls must not put them back. */
  readonly removing: string
}

export function nodeFiles(hostDir: string): NodeFiles {
  return {
    composer: join(hostDir, 'cdc'),
    composerEnv: join(hostDir, '.env'),
    crictl: join(hostDir, 'crictl'),
    crictlConfig: join(hostDir, 'crictl.yaml'),
    removing: join(hostDir, '.removing'),
  }
}

/** `remove` says so before it changes anything, and deletes the composer before it takes that back. */
export async function wasRemoved(hostDir: string): Promise<boolean> {
  const { composer, removing } = nodeFiles(hostDir)
  return (await exists(removing)) || !(await exists(composer))
}

const RUN_BY_THE_KERNEL = /^(cdc|\.env)$/
const SIDE_FILE = /^(crictl|crictl\.yaml|composer\.log|composer\.log\.1)$/
// what a write that was killed leaves: of ours `.new`, of write-file-atomic a number
const UNFINISHED =
  /^(cdc|\.env|crictl|crictl\.yaml|(core_pattern|core_pipe_limit|suid_dumpable)\.bak)\.(new|\d+)$/

/** Whether a file of this name in HOST_DIR is there because of us, and may go. */
export function isDeployed(name: string, { patternIsOurs }: { patternIsOurs: boolean }): boolean {
  // a crash needs these for as long as the kernel runs them
  if (RUN_BY_THE_KERNEL.test(name) || LIBRARY_DIRECTORY.test(name)) return !patternIsOurs
  return SIDE_FILE.test(name) || UNFINISHED.test(name)
}
