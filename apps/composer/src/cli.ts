import { fstatSync } from 'node:fs'
import { type Arguments, parseArguments } from './arguments/parse.ts'
import { rawArguments } from './arguments/raw.ts'
import { handleCrash } from './handle-crash.ts'
import { findHome } from './home.ts'
import { leave } from './ending/leave.ts'
import { say } from './terminal/say.ts'

/** The whole program: command line, environment and fd 0 in, one bundle and an exit code out. */
export async function main(): Promise<never> {
  const args = parseArguments(rawArguments(process.argv.slice(2)))
  const home = findHome({ execPath: process.execPath, script: process.argv[1], env: process.env })
  return leave((await answer(args, home)) ?? (await handleCrash(args, home)))
}

/** `--help` and the like, and a terminal where a core should be: the exit code, or undefined. */
async function answer({ switches }: Arguments, home?: string): Promise<number | undefined> {
  if (switches.has('self-test')) return (await import('./terminal/self-test.ts')).selfTest(home)
  if (switches.has('version')) {
    say(1, `${(await import('./version.ts')).composerVersion()}\n`)
    return 0
  }
  if (switches.has('help')) {
    say(1, (await import('./terminal/usage.ts')).usage())
    return 0
  }
  // a look at the file type first: the kernel's way does not pay for the tty module
  if (!fstatSync(0).isCharacterDevice() || !(await import('node:tty')).isatty(0)) return undefined
  say(
    2,
    `${(await import('./terminal/usage.ts')).usage()}\nThere is no core: stdin is a terminal.\n`,
  )
  return 1
}
