import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { AgentError } from '../error.ts'
import { nodeFiles } from '../node/node-files.ts'

const TIMEOUT_MS = 20_000

/**
 * Run the deployed composer once, as the kernel would but for the core: what keeps it from
 * starting shows now and not in a crash.
 * @throws AgentError `SELF_TEST` with the cause in words
 */
export async function selfTest(hostDir: string): Promise<void> {
  const { composer } = nodeFiles(hostDir)
  // execvp(3) would give a foreign executable to a shell
  if (await isForeign(composer)) throw failure(composer, 'it is made for another architecture')
  const child = spawn(composer, ['--self-test'], {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'pipe', 'pipe'],
    // its own `timeout` would outlive a child that cannot be started
    signal: AbortSignal.timeout(TIMEOUT_MS),
    killSignal: 'SIGKILL',
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
    if (code === 0) return
    const failed = output.split('\n').filter((line) => line.startsWith('not ok'))
    const why = failed.length > 0 ? failed.join('; ') : output.trim().slice(-500)
    throw failure(composer, `it ended with ${code ?? signal}: ${why}`)
  } catch (cause) {
    if (cause instanceof AgentError) throw cause
    throw failure(composer, await whyNotStarted(hostDir, cause), cause)
  }
}

function failure(composer: string, why: string, cause?: unknown): AgentError {
  const message = `The composer \`${composer}\` does not run, so the core pattern is not set: ${why}`
  return new AgentError('SELF_TEST', message, cause === undefined ? undefined : { cause })
}

async function whyNotStarted(hostDir: string, cause: unknown): Promise<string> {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  if (code === 'ENOENT') return 'its loader or interpreter is missing'
  if (code === 'ABORT_ERR') return `it did not end within ${TIMEOUT_MS / 1000} s`
  if (code !== 'EACCES' && code !== 'EPERM') return code
  return (await mountOptions(hostDir))?.includes('noexec')
    ? `\`${hostDir}\` is on a file system mounted noexec; choose another HOST_DIR`
    : `${code}: SELinux, AppArmor or another policy denies it; see the audit log of the node`
}

/** Whether `path` is an ELF file for another machine than this very process, elf(5). */
async function isForeign(path: string): Promise<boolean> {
  const [theirs, ours] = await Promise.all([elfKind(path), elfKind('/proc/self/exe')])
  return theirs !== undefined && theirs !== ours
}

/** Class, byte order and machine of an ELF file. */
async function elfKind(path: string): Promise<string | undefined> {
  const handle = await open(path)
  try {
    const { buffer } = await handle.read(Buffer.alloc(20), 0, 20, 0)
    const isElf = buffer.toString('latin1', 0, 4) === '\x7fELF'
    return isElf ? buffer.toString('hex', 4, 6) + buffer.toString('hex', 18, 20) : undefined
  } finally {
    await handle.close()
  }
}

/** Options of the mount that holds `dir` in the mount namespace of process `pid`, proc_pid_mountinfo(5). */
export async function mountOptions(
  dir: string,
  pid: number | 'self' = 'self',
): Promise<readonly string[] | undefined> {
  const text = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '')
  let nearest: { readonly point: string; readonly options: string } | undefined
  for (const line of text.split('\n')) {
    const [, , , , point = '', options = ''] = line.split(' ')
    if (point === '' || !`${dir}/`.startsWith(point === '/' ? '/' : `${point}/`)) continue
    // the longest path wins, and of mounts on one place the last
    if (nearest === undefined || point.length >= nearest.point.length) nearest = { point, options }
  }
  return nearest?.options.split(',')
}
