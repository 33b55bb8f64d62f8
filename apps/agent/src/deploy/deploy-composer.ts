import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isSea } from 'node:sea'
import { fileURLToPath } from 'node:url'
import { composerBundle } from '@core-dump-handler/composer'
import { koffiModule } from '@core-dump-handler/ingest'
import writeFileAtomic from 'write-file-atomic'
import { AgentError, codeOf, messageOf } from '../error.ts'
import { LIBRARY_DIRECTORY, nodeFiles } from '../node/node-files.ts'
import { copySynced, installFile } from './install-file.ts'
import { disableJit, isJitDisabled, librariesOf, relocateExecutable } from './patch-executable.ts'

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

export interface DeployExecutableOptions {
  /** False: it runs without JIT. @default as the one that is installed; true where there is none */
  readonly jit?: boolean
}

/**
 * Installs the self-contained composer `source` (with `lib/` beside it) into `hostDir` as `cdc`, by
 * rename: a running composer keeps the file and the libraries it was started with.
 * @throws AgentError `DEPLOY`
 */
export async function deployExecutable(
  source: string,
  hostDir: string,
  { jit }: DeployExecutableOptions = {},
): Promise<void> {
  const target = join(hostDir, 'cdc')
  try {
    const libraries = await installLibraries(join(dirname(source), 'lib'), hostDir)
    const replaced = await librariesInUse(target)
    const hasJit = jit ?? !isInstalledWithoutJit(target)
    await installFile(source, target, 0o700, ({ fd }) => {
      relocateExecutable(fd, libraries)
      if (!hasJit) disableJit(fd)
    })
    // the kernel may be starting the replaced executable right now: its libraries stay until the next time
    await removeOldLibraries(hostDir, [libraries, replaced])
  } catch (cause) {
    const message = `Cannot deploy the composer \`${target}\`: ${messageOf(cause)}`
    throw new AgentError('DEPLOY', message, { cause })
  }
}

async function installLibraries(source: string, hostDir: string): Promise<string> {
  const names = (await readdir(source)).toSorted()
  const hash = createHash('sha256')
  for (const name of names) hash.update(`${name}\0`).update(await readFile(join(source, name)))
  const target = join(hostDir, `lib-${hash.digest('hex').slice(0, 12)}`)
  const unfinished = `${target}.new`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { mode: 0o700 })
  for (const name of names) await copySynced(join(source, name), join(unfinished, name), 0o700)
  try {
    await rename(unfinished, target)
  } catch (error) {
    // a directory of that name is complete, because it came by such a rename
    if (!['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) throw error
    await rm(unfinished, { recursive: true })
  }
  return target
}

function isInstalledWithoutJit(executable: string): boolean {
  let fd: number | undefined
  try {
    fd = openSync(executable, 'r')
    return isJitDisabled(fd)
  } catch {
    return false
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** Where the installed executable looks for its libraries; undefined if it is not of this kind. */
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
