import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { isSea } from 'node:sea'

/** comm of a canary: used once, and as long as a comm can be, proc_pid_comm(5). */
export const CANARY: RegExp = /^canary-[0-9a-f]{8}$/

export function newCanary(): string {
  return `canary-${randomBytes(4).toString('hex')}`
}

/** Let a child of that name crash. Resolves once it has ended: the kernel has handed its core over. */
export async function letCrash(canary: string): Promise<void> {
  const script = isSea() ? [] : [...process.execArgv, process.argv[1] ?? '']
  const child = spawn(process.execPath, [...script, 'crash-now', canary], {
    // one executable serves several programs: the name says which
    ...(isSea() && { argv0: 'core-dump-agent' }),
    env: {},
    stdio: 'ignore',
    // where the kernel writes cores to files instead, none can be left here
    cwd: '/proc',
  })
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (signal !== 'SIGABRT') throw new Error(`The canary did not crash: ended with ${signal}`)
}

/** The canary itself: under its own name, with next to no memory in its core. */
export function crashNow(canary: string): never {
  process.title = canary
  writeFileSync('/proc/self/coredump_filter', '0')
  process.abort()
}
