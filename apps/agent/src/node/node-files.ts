import { join } from 'node:path'

/** What the agent puts into HOST_DIR besides the backups of the sysctls. */
export interface NodeFiles {
  readonly composer: string
  readonly composerEnv: string
  readonly crictl: string
  readonly crictlConfig: string
}

export function nodeFiles(hostDir: string): NodeFiles {
  return {
    composer: join(hostDir, 'cdc'),
    composerEnv: join(hostDir, '.env'),
    crictl: join(hostDir, 'crictl'),
    crictlConfig: join(hostDir, 'crictl.yaml'),
  }
}
