import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Workshop } from './workshop.ts'

/** The n-th call of one name that a composer makes on its own file. */
export interface Stage {
  readonly call: string
  readonly n: number
}

/** What strace(1) does to a call, such as `signal=SIGKILL` or `error=ENOSPC`. */
export type Injection = `signal=${string}` | `error=${string}`

const WRITES = ['pwrite64', 'pwritev', 'write', 'writev']
const CALLS = [...WRITES, 'openat', 'fsync', 'link', 'unlink']

/** Watch one composer to its end, and return every call by which its bundle comes to be. */
export async function stagesOf(workshop: Workshop, core: Uint8Array): Promise<Stage[]> {
  const name = 'watched'
  const log = join(workshop.directory, 'calls')
  await workshop.start({ name, core, under: strace(workshop, name, log) }).ended
  const counts = new Map<string, number>()
  const stages: Stage[] = []
  for (const line of readFileSync(log, 'utf8').split('\n')) {
    const call = /^\d+ +(\w+)\(/.exec(line)?.[1] ?? ''
    if (!CALLS.includes(call) || line.includes('O_DIRECTORY')) continue
    // of those that any thread of libuv's may make, strace counts by thread: the first is enough
    const n = (counts.get(call) ?? 0) + 1
    counts.set(call, n)
    if (n === 1 || WRITES.includes(call)) stages.push({ call, n })
  }
  rmSync(workshop.path(name))
  return stages
}

function isWrite({ call }: Stage): boolean {
  return WRITES.includes(call)
}

/** A command line before the composer's: `what` happens to this call. */
export function failAt(
  workshop: Workshop,
  name: string,
  { call, n }: Stage,
  what: Injection,
): string[] {
  return [...strace(workshop, name, '/dev/null'), '-e', `inject=${call}:${what}:when=${n}`]
}

/** The same, and to every write after it. */
export function failFrom(
  workshop: Workshop,
  name: string,
  stages: readonly Stage[],
  what: Injection,
): string[] {
  const first = new Map(
    stages
      .filter(isWrite)
      .toReversed()
      .map(({ call, n }) => [call, n]),
  )
  const inject = [...first].map(([call, n]) => `inject=${call}:${what}:when=${n}+`)
  return [...strace(workshop, name, '/dev/null'), ...inject.flatMap((each) => ['-e', each])]
}

function strace(workshop: Workshop, name: string, log: string): string[] {
  const paths = [workshop.partPath(name), workshop.path(name)].flatMap((path) => ['-P', path])
  return ['strace', '-f', '-qq', '-o', log, '-e', `trace=${CALLS.join()}`, ...paths]
}
