import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'

export interface Crash {
  readonly program: string
  readonly pid: number
  readonly signal: string
}

/** Run a real program until it crashes: one we compile, or a shell that signals itself. */
export async function crash(dir: string): Promise<Crash> {
  const [program, ...args] = compiled(dir) ?? ['/bin/sh', '-c', 'kill -SEGV $$']
  // the core limit is ours to raise: a soft limit of 0 is common
  const command = ['-c', 'ulimit -c unlimited; exec "$0" "$@"', program, ...args]
  const child = spawn('/bin/sh', command, { cwd: dir, stdio: 'ignore' })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { program, pid: child.pid ?? 0, signal: signal ?? `exit code ${code}` }
}

/** A program with 8 MiB of memory that do not compress; undefined where none can be compiled. */
function compiled(dir: string): [string, ...string[]] | undefined {
  const program = join(dir, 'crash-demo')
  try {
    copyFileSync(testProgram('crasher'), program)
    return [program, '-l', '0', '-m', '8']
  } catch {
    return undefined
  }
}
