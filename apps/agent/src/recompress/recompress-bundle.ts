import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { isSea } from 'node:sea'
import { text } from 'node:stream/consumers'
import { execa } from 'execa'
import * as v from 'valibot'
import { flock } from '../node/flock.ts'
import type { Stored } from './stored-in-haste.ts'

// no link is followed, no FIFO waited for
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const ENVIRONMENT = {
  // half of its memory would be garbage otherwise
  NODE_OPTIONS: '--max-semi-space-size=1',
}

/** What the child writes to its standard output, as one line of JSON. */
const REPORT = v.variant('outcome', [
  v.object({ outcome: v.literal('replaced'), fromBytes: v.number(), bytes: v.number() }),
  v.object({ outcome: v.literal('kept'), fromBytes: v.number() }),
  v.object({ outcome: v.literal('failed'), code: v.string(), message: v.string() }),
])

export type Report = v.InferOutput<typeof REPORT>

/** What became of a bundle; `busy`: it is being sent, `stopped`: its time was up. */
export type Result = Report | { readonly outcome: 'busy' | 'stopped' }

/** In a child at idle priority, which ends at once when `signal` is aborted. Rejects where none can be had. */
export async function recompressBundle(
  path: string,
  { entryName, manifestName }: Stored,
  minFreeBytes: number,
  signal: AbortSignal,
): Promise<Result> {
  await using bundle = await open(path, FLAGS)
  const lock = await flock(bundle.fd)
  if (lock.outcome === 'taken') return { outcome: 'busy' }
  if (lock.outcome === 'unknown') {
    throw new Error(`Cannot lock a bundle, so that it might be sent meanwhile: ${lock.reason}`)
  }
  if (signal.aborted) return { outcome: 'stopped' }
  const script = isSea() ? [] : [...process.execArgv, process.argv[1] ?? '']
  const args = ['recompress-now', path, entryName, manifestName, String(minFreeBytes)]
  // not by execa: its `stdio` does not accept an open file as descriptor 3
  const child = spawn(process.execPath, [...script, ...args], {
    // one executable serves several programs: the name selects it
    ...(isSea() && { argv0: 'core-dump-agent' }),
    env: ENVIRONMENT,
    stdio: ['pipe', 'pipe', 'ignore', bundle.fd],
  })
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, killedBy) => resolve(killedBy ?? `code ${code}`))
  })
  // SIGKILL: there is no moment at which it would harm
  const stop = (): void => void child.kill('SIGKILL')
  signal.addEventListener('abort', stop, { once: true })
  try {
    // it may have ended already
    child.stdin?.on('error', () => undefined)
    if (child.pid !== undefined) await setIdlePriority(child.pid)
    child.stdin?.write('go\n')
    const [said, end] = await Promise.all([child.stdout ? text(child.stdout) : '', ended])
    if (said !== '') return v.parse(REPORT, JSON.parse(said))
    if (signal.aborted) return { outcome: 'stopped' }
    return { outcome: 'failed', code: 'KILLED', message: `The child ended with ${end}` }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/**
 * CPU and disk only where no other process wants them, SCHED_IDLE and the idle class of
 * ioprio_set(2), by util-linux; without its programs the process has its own nice value. Never rejects.
 */
async function setIdlePriority(pid: number): Promise<void> {
  const options = { stdio: 'ignore', reject: false } as const
  await Promise.all([
    // all threads: later ones inherit it
    execa('chrt', ['--all-tasks', '--idle', '--pid', '0', String(pid)], options),
    execa('ionice', ['-c', '3', '-p', String(pid)], options),
  ])
}
