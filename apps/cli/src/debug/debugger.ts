import { mkdir, symlink } from 'node:fs/promises'
import { basename, dirname, join, posix } from 'node:path'
import { execa } from 'execa'
import { CliError, codeOf } from '../error.ts'
import { show } from '../output/output.ts'
import { sonameOf } from './core-modules.ts'
import type { FoundBinary } from './binary-sources.ts'

interface DebuggerOptions {
  readonly kind: 'gdb' | 'lldb'
  /** Of the core, where it is not that of this machine. */
  readonly foreignArchitecture?: string
  readonly core: string
  /** Absent: not found. */
  readonly program?: string
  /** As `layOut` made it; the debugger runs in it. */
  readonly directory: string
  /** Where sources are looked for. */
  readonly sourceDirectory: string
  readonly useDebuginfod: boolean
  /** Further arguments of the debugger. */
  readonly rest: readonly string[]
}

/**
 * Before anything is downloaded for it.
 *
 * @throws CliError `MISSING_PROGRAM` when it is not installed
 */
export async function requireDebugger(kind: DebuggerOptions['kind']): Promise<void> {
  if (!(await isInstalled(kind))) throw notInstalled(kind)
}

async function isInstalled(program: string): Promise<boolean> {
  const { cause } = await execa(program, ['--version'], { stdin: 'ignore', reject: false })
  return codeOf(cause) !== 'ENOENT'
}

/** Debian's gdb knows the architecture of its machine only, that of others knows all. */
async function programOf({ kind, foreignArchitecture }: DebuggerOptions): Promise<string> {
  const isForeign = kind === 'gdb' && foreignArchitecture !== undefined
  return isForeign && (await isInstalled('gdb-multiarch')) ? 'gdb-multiarch' : kind
}

/**
 * Runs the debugger on this terminal; resolves with its exit code. It runs in the directory of the binaries:
 * gdb takes a library of the current directory before any other, whatever its build.
 */
export async function runDebugger(options: DebuggerOptions): Promise<number> {
  const { kind, directory } = options
  const args = kind === 'gdb' ? gdbArguments(options) : lldbArguments(options)
  const child = execa(await programOf(options), args, {
    stdio: 'inherit',
    cwd: directory,
    reject: false,
  })
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
  // Ctrl-C is the debugger's; after the others there are files to remove
  process.on('SIGINT', ignore).on('SIGTERM', pass).on('SIGHUP', pass)
  try {
    return (await child).exitCode ?? 1
  } finally {
    process.off('SIGINT', ignore).off('SIGTERM', pass).off('SIGHUP', pass)
  }
}

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

function ignore(): void {}

/** Without a sysroot gdb takes the libraries of this machine. */
function gdbArguments(options: DebuggerOptions): string[] {
  const { core, program, directory, sourceDirectory, useDebuginfod, rest } = options
  const settings = [
    'set auto-load off',
    `set sysroot ${directory}`,
    `set solib-search-path ${directory}`,
    `set debuginfod enabled ${useDebuginfod ? 'on' : 'off'}`,
  ]
  return [
    ...settings.flatMap((setting) => ['-iex', setting]),
    '-d',
    sourceDirectory,
    ...(program === undefined ? [] : ['-se', program]),
    '-c',
    core,
    ...rest,
  ]
}

/** Without a sysroot of a remote platform lldb prefers the files of this machine. */
function lldbArguments({ core, program, directory, rest }: DebuggerOptions): string[] {
  return [
    '-O',
    `platform select --sysroot ${quote(directory)} remote-linux`,
    '-O',
    `settings set target.exec-search-paths ${quote(directory)}`,
    '-O',
    'settings set target.load-script-from-symbol-file false',
    '-c',
    core,
    ...(program === undefined ? [] : ['-f', program]),
    ...rest,
  ]
}

function quote(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}

function notInstalled(kind: string): CliError {
  const other = kind === 'gdb' ? 'or use --lldb' : 'or leave --lldb out'
  return new CliError(
    'MISSING_PROGRAM',
    `Cannot start ${show(kind)}: it is not installed; install it (\`apt install ${kind}\`, \`dnf install ${kind}\`), ${other}`,
  )
}

/** One path segment. */
function isName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/')
}

/** Two modules of one path: the first was mapped first. The core may also name files below a file. */
const IMPOSSIBLE_NAMES: ReadonlySet<string | undefined> = new Set([
  'EEXIST',
  'ENOTDIR',
  'ENAMETOOLONG',
])

async function link(directory: string, name: string, target: string): Promise<void> {
  const path = join(directory, name)
  try {
    await mkdir(dirname(path), { recursive: true })
    await symlink(target, path)
  } catch (error) {
    if (!IMPOSSIBLE_NAMES.has(codeOf(error))) throw error
  }
}
