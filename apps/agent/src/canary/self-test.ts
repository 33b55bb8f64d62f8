import { open, readFile } from 'node:fs/promises'
import { execa } from 'execa'
import { AgentError } from '../error.ts'
import { KernelLog } from '../kernel-log/kernel-log.ts'
import { nodeFiles } from '../node/node-files.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { explainDenial, type KernelReport, whereDenialsAre } from './explain-denial.ts'

const TIMEOUT_MS = 20_000

type Directories = Pick<AgentSettings, 'hostDir' | 'coreDir'>

/**
 * Runs the installed composer once, as the kernel would but without a core: what keeps it from
 * starting shows now and not in a crash.
 * @throws AgentError `SELF_TEST` with the cause in words
 */
export async function selfTest(directories: Directories): Promise<void> {
  const { composer } = nodeFiles(directories.hostDir)
  // execvp(3) would pass an executable of another architecture to a shell
  if (await isOfOtherArchitecture(composer)) {
    throw failure(composer, 'it is made for another architecture')
  }
  const log = new KernelLog()
  try {
    const result = await execa(composer, ['--self-test'], {
      cwd: '/',
      env: {},
      extendEnv: false,
      stdin: 'ignore',
      all: true,
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
      reject: false,
    })
    if (result.exitCode === 0) return
    const report = { lines: log.read(), unreadable: log.unreadable }
    const why = result.timedOut
      ? `it did not end within ${TIMEOUT_MS / 1000} s`
      : result.exitCode === undefined && result.signal === undefined
        ? await explainStartError(directories.hostDir, result.code ?? String(result.cause))
        : `it ended with ${result.exitCode ?? result.signal}: ${failedChecks(result.all)}`
    throw failure(composer, [why, ...policyOf(why, directories, report)].join('; '), result.cause)
  } finally {
    log.close()
  }
}

/** The policy that denied something, by the kernel's log; else, where a policy is likely, where to look. */
function policyOf(why: string, directories: Directories, report: KernelReport): readonly string[] {
  const denial = explainDenial(directories, report)
  if (denial !== undefined) return [denial]
  // SIGTRAP: Node has no executable memory
  const isLikely = /\b(EACCES|EPERM|SIGTRAP|permission denied)\b/i.test(why)
  return isLikely ? [whereDenialsAre(report)] : []
}

function failedChecks(output: string): string {
  const failed = output.split('\n').filter((line) => line.startsWith('not ok'))
  return failed.length > 0 ? failed.join('; ') : output.trim().slice(-500)
}

function failure(composer: string, why: string, cause?: unknown): AgentError {
  const message = `The composer \`${composer}\` does not run, so the core pattern is not set: ${why}`
  return new AgentError('SELF_TEST', message, cause === undefined ? undefined : { cause })
}

async function explainStartError(hostDir: string, code: string): Promise<string> {
  if (code === 'ENOENT') return 'its loader or interpreter is missing'
  if (code !== 'EACCES' && code !== 'EPERM') return code
  return (await mountOptions(hostDir))?.includes('noexec')
    ? `\`${hostDir}\` is on a file system mounted noexec; choose another HOST_DIR`
    : `${code}: SELinux, AppArmor or another policy denies it`
}

/** Whether `path` is an ELF file for another machine than this very process, elf(5). */
async function isOfOtherArchitecture(path: string): Promise<boolean> {
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
