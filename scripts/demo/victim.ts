import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { victim } from '../../integration/harness/victims.ts'
import { onPath } from './on-path.ts'

export interface Crash {
  readonly program: string
  readonly pid: number
  readonly signal: string
}

/** Run a real program until it crashes: one we compile, or a shell that signals itself. */
export async function crash(cwd: string): Promise<Crash> {
  const [program, args] = onPath('gcc')
    ? [victim('crasher'), ['-l', '0', '-m', '8']]
    : ['/bin/sh', ['-c', 'kill -SEGV $$']]
  // the core limit is ours to raise: a soft limit of 0 is common
  const child = spawn('/bin/sh', ['-c', 'ulimit -c unlimited; exec "$0" "$@"', program, ...args], {
    cwd,
    stdio: 'ignore',
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { program, pid: child.pid ?? 0, signal: signal ?? `exit code ${code}` }
}
