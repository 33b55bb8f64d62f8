import type { AgentSettings } from '../settings/read-settings.ts'
import { isAbout, readKernelLine, type KernelLine } from '../kernel-log/read-kernel-line.ts'

/** In words: what of the kernel's log explains that the bundle of a canary did not come. */
export function whyNoCanary(
  { hostDir, coreDir }: Pick<AgentSettings, 'hostDir' | 'coreDir'>,
  lines: readonly string[],
  unreadable: string | undefined,
): string {
  const about = lines
    .map(readKernelLine)
    .filter((line): line is KernelLine => line !== undefined && isAbout(line, hostDir))
  const texts = about.slice(-3).map(({ text }) => text)
  const said =
    texts.length > 0
      ? `its log says: ${texts.join(' | ')}`
      : unreadable === undefined
        ? 'its log says nothing about it'
        : `its log cannot be read here (${unreadable}): look at \`dmesg\` and the audit log on the node`
  return `The kernel did not bring the composer to make a bundle in \`${coreDir}\` of a process that crashed for a test: ${cause(about, hostDir)}; ${said}. The node's own core pattern is back in force`
}

function cause(about: readonly KernelLine[], hostDir: string): string {
  const denial = about.find((line) => line.kind === 'denial')
  if (denial?.kind === 'denial') {
    return `${denial.policy} denies it to the helper that the kernel starts; allow it to run \`${hostDir}/cdc\`, or choose a HOST_DIR that it may run programs from`
  }
  if (about.some((line) => line.kind === 'drop' && line.reason === 'PIPE_FAILED')) {
    return `the agent can run \`${hostDir}/cdc\` and the kernel cannot: the node has another directory or mount at this path, or a policy denies it to the helper that the kernel starts`
  }
  if (about.length > 0) return 'more cores are being dumped than core_pipe_limit allows'
  return 'it ran out of time, or could not write there'
}
