import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'

export interface Crash {
  readonly program: string
  readonly pid: number
  /** Undefined when it ended by itself. */
  readonly signal: NodeJS.Signals | undefined
}

/** Run a real program until it crashes: a compiled one, or a shell that signals itself. */
export async function crash(dir: string): Promise<Crash> {
  const [program, ...args] = compiled(dir) ?? ['/bin/sh', '-c', 'kill -SEGV $$']
  // a soft limit of 0 is common; the program may raise it
  const command = ['-c', 'ulimit -c unlimited; exec "$0" "$@"', program, ...args]
  // not execa: the environment and descriptors of the process are shown in its bundle
  const child = spawn('/bin/sh', command, { cwd: dir, stdio: 'ignore' })
  await once(child, 'close')
  return { program, pid: child.pid ?? 0, signal: child.signalCode ?? undefined }
}

/** A program with 8 MiB of memory that does not compress; undefined where none can be compiled. */
function compiled(dir: string): [string, ...string[]] | undefined {
  const program = join(dir, 'crash-demo')
  try {
    copyFileSync(testProgram('crasher'), program)
    return [program, '-l', '0', '-m', '8']
  } catch {
    return undefined
  }
}
