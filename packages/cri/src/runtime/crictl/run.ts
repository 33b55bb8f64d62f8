import { execa } from 'execa'
import { CriError, type CriErrorCode } from '../../error.ts'
import { oneLine } from '../../problem.ts'

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

  const child = execa(path, argv, {
    env,
    extendEnv: false,
    cwd: '/',
    // the core comes on fd 0: a child that held it would hold the crashed process
    stdin: 'ignore',
    all: true,
    encoding: 'buffer',
    stripFinalNewline: false,
    maxBuffer: maxBytes,
    reject: false,
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
  const timer = setTimeout(kill, timeoutMs, 'CRI_TIMEOUT')
  const abort = (): void => kill('CRI_ABORTED')
  signal?.addEventListener('abort', abort)
  try {
    const result = await child
    if (killed === 'CRI_TIMEOUT')
      throw fail(killed, `not done within ${timeoutMs} ms; it was killed`)
    if (killed !== undefined) throw fail(killed, 'canceled by the caller')
    if (result.isMaxBuffer) {
      killGroup(child.pid)
      throw fail('CRI_TOO_LARGE', `it printed more than ${maxBytes} bytes`)
    }
    if (!result.failed) return Buffer.from((all ? result.all : result.stdout) ?? [])
    const said = Buffer.from(result.stderr ?? []).toString()
    if (result.exitCode === undefined) {
      const advice = result.code === 'ENOENT' ? '; check its path, or PATH in its environment' : ''
      throw fail(
        'CRI_UNAVAILABLE',
        `${result.originalMessage ?? result.signal}${advice}`,
        result.cause,
      )
    }
    throw fail(codeOf(said), `exit code ${result.exitCode}: ${said}`)
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

/** What a crictl that failed means by what it said last. */
function codeOf(said: string): CriErrorCode {
  if (/code = NotFound|no such (container|pod)|not found/i.test(said)) return 'CRI_NOT_FOUND'
  if (/code = Unavailable|connection refused|no such file or directory/i.test(said)) {
    return 'CRI_UNAVAILABLE'
  }
  if (/code = DeadlineExceeded|context deadline exceeded/i.test(said)) return 'CRI_TIMEOUT'
  return /code = Unimplemented/i.test(said) ? 'CRI_UNIMPLEMENTED' : 'CRI_FAILED'
}
