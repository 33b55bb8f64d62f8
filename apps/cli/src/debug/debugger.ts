import { execa } from 'execa'
import { CliError, codeOf } from '../error.ts'
import { show } from '../output/escape.ts'

export interface DebuggerOptions {
  readonly kind: 'gdb' | 'lldb'
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
 * Runs the debugger on this terminal; resolves with its exit code. It runs in the directory of the binaries:
 * gdb takes a library of the current directory before any other, whatever its build.
 *
 * @throws CliError `MISSING_PROGRAM` when it is not installed
 */
export async function runDebugger(options: DebuggerOptions): Promise<number> {
  const { kind, directory } = options
  const args = kind === 'gdb' ? gdbArguments(options) : lldbArguments(options)
  // Ctrl-C is the debugger's
  process.on('SIGINT', ignore)
  try {
    const ended = await execa(kind, args, { stdio: 'inherit', cwd: directory, reject: false })
    if (codeOf(ended.cause) === 'ENOENT') throw notInstalled(kind)
    return ended.exitCode ?? 1
  } finally {
    process.off('SIGINT', ignore)
  }
}

function ignore(): void {}

/** Without a sysroot gdb takes the libraries of this machine. */
export function gdbArguments(options: DebuggerOptions): string[] {
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
export function lldbArguments({ core, program, directory, rest }: DebuggerOptions): string[] {
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
    `Cannot start ${show(kind)}: it is not installed; install it, ${other}`,
  )
}
