import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { isSea } from 'node:sea'
import { execa } from 'execa'

/** comm of a canary: used once, and as long as a comm can be, proc_pid_comm(5). */
export const CANARY: RegExp = /^canary-[0-9a-f]{8}$/

export function newCanary(): string {
  return `canary-${randomBytes(4).toString('hex')}`
}

/** Lets a child of that name crash. Resolves once it has ended: the kernel has passed its core on. */
export async function letCrash(canary: string): Promise<void> {
  const script = isSea() ? [] : [...process.execArgv, process.argv[1] ?? '']
  const { signal, shortMessage } = await execa(process.execPath, [...script, 'crash-now', canary], {
    // one executable serves several programs: the name selects it
    ...(isSea() && { argv0: 'core-dump-agent' }),
    env: {},
    extendEnv: false,
    stdio: 'ignore',
    // where the kernel writes cores to files instead, none can be left here
    cwd: '/proc',
    reject: false,
  })
  if (signal !== 'SIGABRT')
    throw new Error(`The canary did not crash: ${shortMessage ?? 'it ended'}`)
}

/** The canary itself: under its own name, with next to no memory in its core. */
export function crashNow(canary: string): never {
  process.title = canary
  writeFileSync('/proc/self/coredump_filter', '0')
  process.abort()
}
