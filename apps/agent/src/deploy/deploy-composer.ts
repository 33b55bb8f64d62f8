import { isSea } from 'node:sea'
import { deployExecutable } from './deploy-executable.ts'
import { deployScript } from './deploy-script.ts'

/**
 * Put into `hostDir` what the kernel will run, as `cdc`: this very program where agent and
 * composer are one self-contained executable, as in the image; else a script for this very Node.
 * @throws AgentError `DEPLOY`
 */
export async function deployComposer(hostDir: string): Promise<void> {
  if (isSea()) await deployExecutable(process.execPath, hostDir)
  else await deployScript(process.execPath, hostDir)
}
