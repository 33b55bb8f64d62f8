import {
  isAbout,
  type DenialLine,
  type KernelLine,
  readKernelLine,
} from '../kernel-log/kernel-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'

type Directories = Pick<AgentSettings, 'hostDir' | 'coreDir'>

/** What the kernel's log contains since the attempt began; `unreadable`: why it cannot be read. */
export interface KernelReport {
  readonly lines: readonly string[]
  readonly unreadable: string | undefined
}

const MAX_LINES = 3
/** comm of the composer is the name of Node's main thread once it runs. */
const AUDIT_LOG = '`ausearch -m AVC | grep -e cdc -e MainThread`'

/** In words: why the bundle of a canary was not written, by the kernel's log. */
export function explainCanary(directories: Directories, report: KernelReport): string {
  const about = relevantLines(directories, report)
  const cause = canaryCause(about, directories)
  return `The kernel did not make the composer write a bundle in \`${directories.coreDir}\` of a process that crashed for a test: ${cause}; ${quote(about, report)}. The node's own core pattern is back in force`
}

/** Policy, permission and remedy where a policy denied something to a program that the agent started. */
export function explainDenial(directories: Directories, report: KernelReport): string | undefined {
  const about = relevantLines(directories, report)
  const denial = firstDenial(about)
  if (denial === undefined) return undefined
  return `${remedy(denial, directories, 'the composer')}; ${quote(about, report)}`
}

/** In words: where a denial would be found that the kernel's log does not show. */
export function whereDenialsAre(report: KernelReport): string {
  return quote([], report)
}

/** Whether a policy denied the composer memory that is executable and was written to, as JIT needs. */
export function lacksExecutableMemory(directories: Directories, report: KernelReport): boolean {
  return firstDenial(relevantLines(directories, report))?.action === 'executable memory'
}

function canaryCause(about: readonly KernelLine[], directories: Directories): string {
  const denial = firstDenial(about)
  if (denial !== undefined) return remedy(denial, directories, 'the helper that the kernel starts')
  if (about.some((line) => line.kind === 'drop' && line.reason === 'PIPE_FAILED')) {
    return `the agent can run \`${directories.hostDir}/cdc\` and the kernel cannot: the node has another directory or mount at this path, or a policy denies it to the helper that the kernel starts`
  }
  if (about.length > 0) return 'more cores are being dumped than core_pipe_limit allows'
  return 'it ran out of time, or could not write there'
}

function remedy(denial: DenialLine, { hostDir, coreDir }: Directories, who: string): string {
  const { policy, permission, action, text } = denial
  const denied = `${policy} denies \`${permission}\` to ${who}`
  if (action === 'write') {
    return `${denied}; allow it to write in \`${coreDir}\`, or choose a CORE_DIR where it may write`
  }
  if (action === 'executable memory') {
    const domain = /\bscontext=[^:\s]*:[^:\s]*:([^:\s]+)/.exec(text)?.[1] ?? 'its domain'
    return `${denied}; Node.js needs executable memory: allow it by the boolean \`allow_execmem\` or the rule \`allow ${domain} self:process execmem\``
  }
  return `${denied}; allow it to run \`${hostDir}/cdc\`, or choose a HOST_DIR that it may run programs from`
}

function relevantLines(
  { hostDir, coreDir }: Directories,
  { lines }: KernelReport,
): readonly KernelLine[] {
  return lines
    .map(readKernelLine)
    .filter((line) => line !== undefined)
    .filter((line) => isAbout(line, [hostDir, coreDir]))
}

const firstDenial = (about: readonly KernelLine[]): DenialLine | undefined =>
  about.find((line) => line.kind === 'denial')

function quote(about: readonly KernelLine[], { unreadable }: KernelReport): string {
  const texts = about.slice(-MAX_LINES).map(({ text }) => text)
  if (texts.length > 0) return `the kernel's log contains: ${texts.join(' | ')}`
  return unreadable === undefined
    ? `the kernel's log does not mention it; where auditd runs, denials are in the audit log alone: ${AUDIT_LOG}`
    : `the kernel's log cannot be read here (${unreadable}): look at \`dmesg\` and the audit log on the node: ${AUDIT_LOG}`
}
