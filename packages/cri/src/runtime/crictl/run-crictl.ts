// not execa: its import opens process.stdin, and fd 0 is the core, which is being drained
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { CriError, type CriErrorCode } from '../../error.ts'
import { errnoOf, messageOf, oneLine } from '../../text.ts'

export interface CrictlOptions {
  readonly path: string
  readonly config?: string | undefined
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly imageCommand: 'img' | 'images'
}

// warnings about endpoints and configuration, before the first line of a log (cri-tools 1.22 to 1.37)
const OWN_WARNING =
  /^(?:(?:time="[^"\n]*" level=\w+ msg="|(?:WARN|ERRO)\[\d+\] )(?:Config |(?:runtime|image) connect using default|validate (?:service|CRI)|unable to determine (?:runtime|image) API|get server config)|[EW]\d{4} [^\]\n]*remote_(?:runtime|image)\.go:\d+\])[^\n]*\n/

// of runtimes without a code for it. What a script around crictl does not find is no container
const NO_SUCH = /no such (container|pod)|(container|pod|sandbox|image)\b.*not found/i

/**
 * The stdout of `crictl <args>`; with `all` both streams, because `crictl logs` prints the stderr of
 * the container on its own, after its own warnings, which are left out. Only the exit code decides:
 * crictl warns on stderr when it succeeds.
 */
export async function runCrictl(
  args: readonly string[],
  { path, config, env, timeoutMs, maxBytes }: CrictlOptions,
  { signal, all = false }: { readonly signal?: AbortSignal | undefined; readonly all?: boolean },
): Promise<Buffer> {
  const argv = config === undefined ? args : ['-c', config, ...args]
  const failure = (code: CriErrorCode, reason: string, cause?: unknown): CriError =>
    new CriError(code, `Cannot run \`${oneLine([path, ...argv].join(' '))}\`: ${oneLine(reason)}`, {
      cause,
      endpoint: path,
    })
  if (signal?.aborted === true) throw failure('CRI_ABORTED', 'canceled by the caller')
  if (argv.some((arg) => arg.includes('\0'))) throw failure('CRI_FAILED', 'an argument holds a NUL')

  const child = spawn(path, argv, {
    env,
    cwd: '/',
    // fd 0 is the core: a child that inherits it keeps the crashed process
    stdio: ['ignore', 'pipe', 'pipe'],
    // a process group of its own: crictl may be a script with children
    detached: true,
  })
  let killed: CriErrorCode | undefined
  const kill = (code: CriErrorCode): void => {
    killed ??= code
    killGroup(child.pid)
    // a process that left the group and keeps the pipes is not waited for
    child.stdout.destroy()
    child.stderr.destroy()
  }
  const stderr: Buffer[] = []
  const output: Buffer[] = []
  let bytes = 0
  const keep = (chunk: Buffer, list: readonly Buffer[][]): void => {
    bytes += chunk.length
    if (bytes > maxBytes) kill('CRI_TOO_LARGE')
    else for (const each of list) each.push(chunk)
  }
  child.stdout.on('data', (chunk: Buffer) => keep(chunk, [output]))
  child.stderr.on('data', (chunk: Buffer) => keep(chunk, all ? [output, stderr] : [stderr]))
  const timer = setTimeout(kill, timeoutMs, 'CRI_TIMEOUT')
  const abort = (): void => kill('CRI_ABORTED')
  signal?.addEventListener('abort', abort)
  try {
    await once(child, 'close').catch((cause: unknown) => {
      const advice =
        errnoOf(cause) === 'ENOENT' ? '; check its path, or PATH in its environment' : ''
      throw failure('CRI_UNAVAILABLE', `${messageOf(cause)}${advice}`, cause)
    })
    const { exitCode, signalCode } = child
    if (killed === 'CRI_TIMEOUT') {
      throw failure(killed, `not done within ${timeoutMs} ms; it was killed`)
    }
    if (killed === 'CRI_TOO_LARGE') throw failure(killed, `it printed more than ${maxBytes} bytes`)
    if (killed !== undefined) throw failure(killed, 'canceled by the caller')
    if (exitCode === 0) return Buffer.concat(all ? withoutOwnWarnings(output, stderr) : output)
    if (exitCode === null) throw failure('CRI_UNAVAILABLE', `it was ended by ${signalCode}`)
    const text = Buffer.concat(stderr).toString()
    // with `all`, lines of the container come before that of crictl and are not reported
    const reason = all ? ownLastLine(text) : text
    throw failure(codeOf(exitCode, reason), `exit code ${exitCode}: ${reason}`)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // the group has ended
  }
}

/** The last line where crictl wrote it, in either format of its logger; else ''. */
function ownLastLine(stderr: string): string {
  const text = stderr.trimEnd()
  const line = text.slice(text.lastIndexOf('\n') + 1)
  return /^(FATA\[|time=")/.test(line) ? line : ''
}

/** `output` without the warnings of crictl at the start of those of its chunks that are `stderr`. */
function withoutOwnWarnings(output: readonly Buffer[], stderr: readonly Buffer[]): Buffer[] {
  const text = Buffer.concat(stderr).toString('latin1')
  let skipped = 0
  for (let line; (line = OWN_WARNING.exec(text.slice(skipped)));) skipped += line[0].length
  const isStderr = new Set(stderr)
  return output.map((chunk) => {
    if (!isStderr.has(chunk)) return chunk
    const cut = Math.min(skipped, chunk.length)
    skipped -= cut
    return chunk.subarray(cut)
  })
}

/** The code for the exit of a crictl that failed with `message`. */
function codeOf(exitCode: number, message: string): CriErrorCode {
  // of a shell, where crictl is a script that does not find its program
  if (exitCode === 126 || exitCode === 127) return 'CRI_UNAVAILABLE'
  if (/code = NotFound/i.test(message) || NO_SUCH.test(ownLastLine(message))) {
    return 'CRI_NOT_FOUND'
  }
  if (/code = Unavailable|connection refused|no such file or directory/i.test(message)) {
    return 'CRI_UNAVAILABLE'
  }
  if (/code = DeadlineExceeded|context deadline exceeded/i.test(message)) return 'CRI_TIMEOUT'
  return /code = Unimplemented/i.test(message) ? 'CRI_UNIMPLEMENTED' : 'CRI_FAILED'
}
