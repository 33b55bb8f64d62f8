import writeFileAtomic from 'write-file-atomic'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { release } from 'node:os'
import { dirname, join, normalize } from 'node:path'
import { corePattern } from '@core-dump-handler/composer'
import { readBackup, readSysctl } from '@core-dump-handler/sysctl'
import { AgentError } from '../error.ts'
import type { Log } from '../log/open-log.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { nodeFiles } from './node-files.ts'

export const CORE_PATTERN = 'kernel.core_pattern'
export const CORE_PIPE_LIMIT = 'kernel.core_pipe_limit'
const SUID_DUMPABLE = 'fs.suid_dumpable'
/** In HOST_DIR: where the receiver listens. */
export const RECEIVER_SOCKET = 'receiver.sock'
// above 0 the kernel keeps /proc/<pid> of the crashed process for us, core(5); version 9 set the same
const PIPE_LIMIT = '128'
const CORE_MODES = '/proc/sys/kernel/core_modes'

/**
 * In the order they are set, and restored from the end: a crash must find the limit together with the
 * pattern, and the kernel calls suid_dumpable 2 unsafe without a pipe in the pattern.
 */
export const SYSCTLS = [CORE_PIPE_LIMIT, CORE_PATTERN, SUID_DUMPABLE] as const

/** What the kernel starts with, core(5) and proc_sys_fs(5). */
export const KERNEL_DEFAULTS: SysctlValues = {
  [CORE_PIPE_LIMIT]: '0',
  [CORE_PATTERN]: 'core',
  [SUID_DUMPABLE]: '0',
}

/** The three values, in the order they are set. */
export function sysctlValues(
  { suidDumpable }: Pick<AgentSettings, 'suidDumpable'>,
  pattern: string,
): SysctlValues {
  return {
    [CORE_PIPE_LIMIT]: PIPE_LIMIT,
    [CORE_PATTERN]: pattern,
    [SUID_DUMPABLE]: suidDumpable,
  }
}

/** The pattern by which the kernel connects to the receiver, core(5). */
export function socketPattern(hostDir: string): string {
  return `@@${join(hostDir, RECEIVER_SOCKET)}`
}

// as version 9 and this agent begin it; the kernel keeps 127 bytes, which may end within the path
const OUR_PATTERN = /^\|(\/(?:\S*|.*?(?=\/cdc -c=%c))\/cdc)(?=\s|$)/
const CUT_PATTERN = /^\|(\/\S*\/(?:c|cd)?)$/
const SOCKET_PATTERN = /^@@(\/\S*\/receiver\.sock)$/
const MAX_PATTERN_BYTES = 127

/** HOST_DIR of the agent, of any version, that set this pattern; `undefined`: another program set it. */
export function hostDirOf(pattern: string): string | undefined {
  const isCut = Buffer.byteLength(pattern) >= MAX_PATTERN_BYTES
  const program =
    OUR_PATTERN.exec(pattern)?.[1] ??
    SOCKET_PATTERN.exec(pattern)?.[1] ??
    (isCut ? CUT_PATTERN.exec(pattern)?.[1] : undefined)
  if (program === undefined) return undefined
  // version 9 took HOST_DIR as it was written, with a slash at its end, too
  return normalize(program.endsWith('/') ? program : dirname(program)).replace(/(?<=.)\/$/, '')
}

/** Whether a value may be a backup: no pattern of an agent may, as its program is deleted with it. */
export function isBackup(key: string, value: string): boolean {
  return key !== CORE_PATTERN || hostDirOf(value) === undefined
}

/** Values in force, by sysctl. */
export type SysctlValues = Readonly<Record<SysctlName, string>>
export type SysctlName = (typeof SYSCTLS)[number]

export async function readSysctls(root: string): Promise<SysctlValues> {
  return {
    [CORE_PIPE_LIMIT]: await readSysctl(CORE_PIPE_LIMIT, { root }),
    [CORE_PATTERN]: await readSysctl(CORE_PATTERN, { root }),
    [SUID_DUMPABLE]: await readSysctl(SUID_DUMPABLE, { root }),
  }
}

/** What is known of earlier starts, by sysctl. */
interface SysctlRecord {
  /** Values that agents have set and that may still be in force. */
  readonly set: ReadonlyMap<string, ReadonlySet<string>>
  /** The value found by the installation, as far as it is known. */
  readonly first: ReadonlyMap<string, string>
}

const LINE = /^sysctl (\S+) (set|first) (.*)$/
const MAX_LINES = 100

/**
 * The record in `.deployed` of an agent with this HOST_DIR. Agents before it was written left only
 * backups: then the first value is that of the backup.
 */
export async function readSysctlRecord(hostDir: string): Promise<SysctlRecord> {
  const set = new Map<string, Set<string>>()
  const first = new Map<string, string>()
  for (const line of await linesOf(hostDir)) {
    const [, key = '', kind, value = ''] = LINE.exec(line) ?? []
    if (kind === 'set') set.set(key, (set.get(key) ?? new Set()).add(value))
    if (kind === 'first') first.set(key, value)
  }
  for (const key of SYSCTLS) {
    if (first.has(key)) continue
    const { value } = await readBackup(key, { backupDir: hostDir, isBackup }).catch(() => ({
      value: undefined,
    }))
    if (value !== undefined) first.set(key, value)
  }
  return { set, first }
}

/**
 * Records what this start sets, before it is set: a value that is ours and in force stays on the
 * list, because the start may be interrupted.
 */
export async function recordSysctls(
  hostDir: string,
  { found, wanted, earlier }: Record<'found' | 'wanted', SysctlValues> & { earlier: SysctlRecord },
): Promise<void> {
  const isOurs = ownership(found, earlier)
  const lines = (await linesOf(hostDir)).filter((line) => line !== '' && !LINE.test(line))
  for (const key of SYSCTLS) {
    const set = new Set([wanted[key], ...(isOurs(key) ? [found[key]] : [])])
    const first = earlier.first.get(key) ?? (isOurs(key) ? undefined : found[key])
    for (const value of set) lines.push(`sysctl ${key} set ${value}`)
    if (first !== undefined) lines.push(`sysctl ${key} first ${first}`)
  }
  await writeFileAtomic(nodeFiles(hostDir).deployed, `${lines.join('\n')}\n`, { mode: 0o600 })
}

/**
 * Which of the values in force an agent has set. A number tells less than the pattern: it counts as
 * ours where it is one that we set, unless another program has set both pattern and limit: then the
 * node was started again, or that program has set all three.
 */
export function ownership(
  found: SysctlValues,
  { set, first }: SysctlRecord,
): (key: string) => boolean {
  const patternIsOurs = hostDirOf(found[CORE_PATTERN]) !== undefined
  const limits = set.get(CORE_PIPE_LIMIT) ?? new Set([PIPE_LIMIT])
  const limitIsOurs = limits.has(found[CORE_PIPE_LIMIT])
  if (!patternIsOurs && (!limitIsOurs || first.size === 0)) return () => false
  const ours: Readonly<Record<string, boolean>> = {
    [CORE_PATTERN]: patternIsOurs,
    [CORE_PIPE_LIMIT]: limitIsOurs,
    // an agent without a record set one of three values, no one knows which
    [SUID_DUMPABLE]: set.get(SUID_DUMPABLE)?.has(found[SUID_DUMPABLE]) ?? true,
  }
  return (key) => ours[key] === true
}

async function linesOf(hostDir: string): Promise<string[]> {
  const text = await readFile(nodeFiles(hostDir).deployed, 'utf8').catch(() => '')
  return text.split('\n', MAX_LINES)
}

/**
 * The sysctls in force where this agent does not set the pattern (KERNEL_MANAGED_BY). Rejects with
 * what has to be set where crashes do not come to this agent.
 */
export async function checkSysctls(
  { hostDir, sysctlRoot, receiverMode, kernelManagedBy }: AgentSettings,
  log: Log,
): Promise<SysctlValues> {
  const found = await readSysctls(sysctlRoot)
  const pattern = found[CORE_PATTERN]
  const isPipe = hostDirOf(pattern) === hostDir && pattern.startsWith('|')
  const isSocket = pattern === socketPattern(hostDir)
  if (kernelManagedBy === 'init-container' && !isSocket) {
    throw new AgentError(
      'NODE_CONFIGURATION',
      `${CORE_PATTERN} is \`${pattern}\`, which the init container of this pod was to set to \`${socketPattern(hostDir)}\` (KERNEL_MANAGED_BY=init-container): another program has set it since; delete this pod, so that the init container runs again`,
    )
  }
  if (!isPipe && !(isSocket && receiverMode !== 'off')) {
    const pipe = `\`${corePattern(hostDir).pattern}\``
    const socket = `\`${socketPattern(hostDir)}\``
    const wanted = receiverMode === 'off' ? pipe : `${socket} for the receiver, or to ${pipe}`
    throw new AgentError(
      'NODE_CONFIGURATION',
      `${CORE_PATTERN} is \`${pattern}\`, which the configuration of this node sets (KERNEL_MANAGED_BY=node): set it there to ${wanted}`,
    )
  }
  if (isPipe && found[CORE_PIPE_LIMIT] === '0') {
    log.warn(
      { sysctl: CORE_PIPE_LIMIT, found: '0', expected: PIPE_LIMIT },
      'the kernel does not keep a crashed process for its composer: its owner cannot be proven; set this in the configuration of the node',
    )
  }
  return found
}

/** Why this kernel cannot connect to a receiver, by `modesFile`; undefined where it may. */
export function whyNoSocket(
  { sysctlRoot }: Pick<AgentSettings, 'sysctlRoot'>,
  modesFile = CORE_MODES,
): string | undefined {
  if (sysctlRoot !== '/proc/sys' && !sysctlRoot.endsWith('/proc/sys')) {
    return `the sysctls in \`${sysctlRoot}\` are not those of this kernel`
  }
  try {
    const modes = readFileSync(modesFile, 'utf8').split('\n')
    return modes.includes('socket')
      ? undefined
      : `this kernel, ${release()}, has no coredump sockets, only ${modes.filter(Boolean).join(', ')} (core_modes)`
  } catch {
    return `this kernel, ${release()}, has no coredump sockets: they came with Linux 6.17`
  }
}
