import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { isSea } from 'node:sea'
import { text } from 'node:stream/consumers'
import { setIdlePriority } from './idle-priority.ts'
import { lockExclusively } from './lock-exclusively.ts'
import type { Report } from './recompress-now.ts'
import type { Stored } from './stored-in-haste.ts'

// no link is followed, no FIFO waited for
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const ENVIRONMENT = {
  // half of its memory would be garbage otherwise
  NODE_OPTIONS: '--max-semi-space-size=1',
}

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
  const lock = await lockExclusively(bundle.fd)
  if (lock === 'busy') return { outcome: 'busy' }
  if (lock === 'unavailable') {
    throw new Error('Cannot lock a bundle, so that it might be sent meanwhile: `flock` is missing')
  }
  if (signal.aborted) return { outcome: 'stopped' }
  const script = isSea() ? [] : [...process.execArgv, process.argv[1] ?? '']
  const args = ['recompress-now', path, entryName, manifestName, String(minFreeBytes)]
  const child = spawn(process.execPath, [...script, ...args], {
    // one executable serves several programs: the name says which
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
    if (said !== '') return JSON.parse(said) as Report
    if (signal.aborted) return { outcome: 'stopped' }
    return { outcome: 'failed', code: 'KILLED', message: `The child ended with ${end}` }
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
