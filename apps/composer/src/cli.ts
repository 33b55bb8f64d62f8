import { fstatSync } from 'node:fs'
import { type Arguments, parseArguments, rawArguments } from './arguments.ts'
import { composerVersion, findHome } from './installation.ts'
import { run } from './run.ts'
import { exit } from './shutdown.ts'
import { print } from './terminal/print.ts'

/** The whole program: command line, environment and fd 0 in, one bundle and an exit code out. */
export async function main(): Promise<never> {
  const args = parseArguments(rawArguments(process.argv.slice(2)))
  const home = findHome({ execPath: process.execPath, script: process.argv[1], env: process.env })
  return exit((await answer(args, home)) ?? (await run(args, home)))
}

/** The exit code of `--help` and the like, and of a terminal in place of a core; undefined otherwise. */
async function answer({ switches }: Arguments, home?: string): Promise<number | undefined> {
  if (switches.has('self-test')) return (await import('./terminal/self-test.ts')).selfTest(home)
  if (switches.has('version')) {
    print(1, `${composerVersion()}\n`)
    return 0
  }
  if (switches.has('help')) {
    print(1, (await import('./terminal/usage.ts')).usage())
    return 0
  }
  // the file type first: started by the kernel, the tty module is not loaded
  if (!fstatSync(0).isCharacterDevice() || !(await import('node:tty')).isatty(0)) return undefined
  print(
    2,
    `${(await import('./terminal/usage.ts')).usage()}\nThere is no core: stdin is a terminal.\n`,
  )
  return 1
}
