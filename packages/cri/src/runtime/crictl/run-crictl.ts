// not execa: its import opens process.stdin, and fd 0 is the core that somebody else is draining
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { CriError, type CriErrorCode } from '../../error.ts'
import { oneLine } from '../../warning.ts'

export interface CrictlOptions {
  readonly path: string
  readonly config?: string | undefined
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly imageCommand: 'img' | 'images'
}

/**
 * What `crictl <args>` prints, judged by its exit code alone: it warns on stderr when all is well,
 * and `crictl logs` prints there what the container did. `all` takes both streams.
 */
export async function runCrictl(
  args: readonly string[],
  { path, config, env, timeoutMs, maxBytes }: CrictlOptions,
  { signal, all = false }: { readonly signal?: AbortSignal | undefined; readonly all?: boolean },
): Promise<Buffer> {
  const argv = config === undefined ? args : ['-c', config, ...args]
  const fail = (code: CriErrorCode, why: string, cause?: unknown): CriError =>
    new CriError(code, `Cannot run \`${oneLine([path, ...argv].join(' '))}\`: ${oneLine(why)}`, {
      cause,
      endpoint: path,
    })
  if (signal?.aborted === true) throw fail('CRI_ABORTED', 'canceled by the caller')

  if (argv.some((arg) => arg.includes('\0'))) throw fail('CRI_FAILED', 'an argument holds a NUL')

  const child = spawn(path, argv, {
    env,
    cwd: '/',
    // the core comes on fd 0: a child that held it would hold the crashed process
    stdio: ['ignore', 'pipe', 'pipe'],
    // a process group of its own, because crictl may be a script with children
    detached: true,
  })
  let killed: CriErrorCode | undefined
  const kill = (code: CriErrorCode): void => {
    killed ??= code
    killGroup(child.pid)
    // whoever left the group and holds the pipes is not waited for
    child.stdout.destroy()
    child.stderr.destroy()
  }
  const said: Buffer[] = []
  const printed: Buffer[] = []
  let bytes = 0
  const keep = (chunk: Buffer, list: readonly Buffer[][]): void => {
    bytes += chunk.length
    if (bytes > maxBytes) kill('CRI_TOO_LARGE')
    else for (const each of list) each.push(chunk)
  }
  child.stdout.on('data', (chunk: Buffer) => keep(chunk, [printed]))
  child.stderr.on('data', (chunk: Buffer) => keep(chunk, all ? [printed, said] : [said]))
  const timer = setTimeout(kill, timeoutMs, 'CRI_TIMEOUT')
  const abort = (): void => kill('CRI_ABORTED')
  signal?.addEventListener('abort', abort)
  try {
    const [exitCode, signalName] = (await once(child, 'close').catch((cause: unknown) => {
      const { code, message } = cause as NodeJS.ErrnoException
      const advice = code === 'ENOENT' ? '; check its path, or PATH in its environment' : ''
      throw fail('CRI_UNAVAILABLE', `${message}${advice}`, cause)
    })) as [number | null, NodeJS.Signals | null]
    if (killed === 'CRI_TIMEOUT') {
      throw fail(killed, `not done within ${timeoutMs} ms; it was killed`)
    }
    if (killed === 'CRI_TOO_LARGE') throw fail(killed, `it printed more than ${maxBytes} bytes`)
    if (killed !== undefined) throw fail(killed, 'canceled by the caller')
    if (exitCode === 0) return Buffer.concat(printed)
    if (exitCode === null) throw fail('CRI_UNAVAILABLE', `it was ended by ${signalName}`)
    const text = Buffer.concat(said).toString()
    // with the container's own words before it: those are no problem of ours to tell
    const complaint = all ? ownWords(text) : text
    throw fail(codeOf(complaint), `exit code ${exitCode}: ${complaint}`)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // all of them are gone
  }
}

/** What crictl says last when it fails, in either format of its logger; '' when that is not its own. */
function ownWords(said: string): string {
  const text = said.trimEnd()
  const line = text.slice(text.lastIndexOf('\n') + 1)
  return /^(FATA\[|time=")/.test(line) ? line : ''
}

/** What a crictl that failed means by what it said last. */
function codeOf(said: string): CriErrorCode {
  if (/code = NotFound|no such (container|pod)|not found/i.test(said)) return 'CRI_NOT_FOUND'
  if (/code = Unavailable|connection refused|no such file or directory/i.test(said)) {
    return 'CRI_UNAVAILABLE'
  }
  if (/code = DeadlineExceeded|context deadline exceeded/i.test(said)) return 'CRI_TIMEOUT'
  return /code = Unimplemented/i.test(said) ? 'CRI_UNIMPLEMENTED' : 'CRI_FAILED'
}
