import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isSea } from 'node:sea'
import { fileURLToPath } from 'node:url'
import { composerBundle } from '@core-dump-handler/composer'
import { koffiModule } from '@core-dump-handler/ingest'
import writeFileAtomic from 'write-file-atomic'
import { AgentError } from '../error.ts'
import { nodeFiles } from '../node/node-files.ts'
import { deployExecutable, type DeployExecutableOptions } from './deploy-executable.ts'
import { installFile } from './install-file.ts'

/**
 * Installs the composer into `hostDir` as `cdc`, the program that the kernel will run: this
 * executable itself where agent and composer are one, as in the image; else a script for this Node.
 * @throws AgentError `DEPLOY`
 */
export async function deployComposer(
  hostDir: string,
  options: DeployExecutableOptions = {},
): Promise<void> {
  if (isSea()) await deployExecutable(process.execPath, hostDir, options)
  else await deployScript(process.execPath, hostDir)
}

/** BINPRM_BUF_SIZE (256) less the NUL: what the kernel reads of a `#!` line, execve(2). */
const MAX_INTERPRETER_LINE_BYTES = 255

/**
 * Installs a script into `hostDir` as `cdc`: a `#!` line for `node` and the composer in one file, for
 * a machine that has both, such as a checkout. By rename: a running composer keeps the old file.
 * @throws AgentError `DEPLOY`
 */
export async function deployScript(node: string, hostDir: string): Promise<void> {
  const path = nodeFiles(hostDir).composer
  const line = `#!${node}`
  if (!node.startsWith('/') || /\s/.test(node)) {
    throw new AgentError(
      'DEPLOY',
      `Cannot deploy the composer \`${path}\`: the kernel needs an absolute path of Node without blanks, and it is \`${node}\``,
    )
  }
  if (Buffer.byteLength(line) > MAX_INTERPRETER_LINE_BYTES) {
    throw new AgentError(
      'DEPLOY',
      `Cannot deploy the composer \`${path}\`: its \`#!\` line would take ${Buffer.byteLength(line)} bytes and the kernel reads ${MAX_INTERPRETER_LINE_BYTES}; move Node to a shorter path than \`${node}\``,
    )
  }
  const koffi = koffiModule()
  // with it the composer compresses by ISA-L where the machine has that
  if (koffi !== undefined) await installFile(koffi, join(hostDir, 'koffi.node'), 0o700)
  await writeFileAtomic(path, `${line}\n${await readBundle()}`, { mode: 0o700 })
}

async function readBundle(): Promise<string> {
  const path = fileURLToPath(composerBundle())
  try {
    return (await readFile(path, 'utf8')).replace(/^#!.*\n/, '')
  } catch (cause) {
    throw new AgentError(
      'DEPLOY',
      `Cannot read the composer \`${path}\` that should be installed; build it first: npm run build`,
      { cause },
    )
  }
}
