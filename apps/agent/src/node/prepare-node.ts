import { rm } from 'node:fs/promises'
import { corePattern } from '@core-dump-handler/composer'
import { takeOver } from '@core-dump-handler/sysctl'
import writeFileAtomic from 'write-file-atomic'
import { selfTest } from '../canary/self-test.ts'
import { tryCanaryWithoutJit } from '../canary/try-canary.ts'
import { deployComposer } from '../deploy/deploy-composer.ts'
import { deployCrictl } from '../deploy/deploy-crictl.ts'
import { AgentError, codeOf } from '../error.ts'
import type { Log } from '../log/open-log.ts'
import { adviseReceiver } from '../receiver/entry.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { makeDirectory, nodeFiles, wasRemoved } from './node-files.ts'
import {
  checkSysctls,
  CORE_PATTERN,
  hostDirOf,
  isBackup,
  ownership,
  readSysctlRecord,
  readSysctls,
  recordSysctls,
  socketPattern,
  sysctlValues,
  type SysctlValues,
  whyNoSocket,
} from './sysctls.ts'
import { restoreSysctls } from './restore-sysctls.ts'

/** What the kernel now does with a crash. */
export interface PreparedNode {
  readonly sysctls: SysctlValues
  /** What `remove` will restore: values of ours are never a backup. */
  readonly backups: Readonly<Record<string, string>>
}

export interface Attempt {
  readonly signal: AbortSignal
  /** Whether the bundle of a canary is in the store already. */
  readonly isDelivered: (canary: string) => boolean
}

/**
 * Makes the kernel of this node run the composer: every file first, each by rename; the sysctls only
 * after its self-test; then a canary tries the whole path. Where one of these fails the sysctls are as
 * before.
 */
export async function prepareNode(
  settings: AgentSettings,
  log: Log,
  attempt: Attempt,
): Promise<PreparedNode> {
  const { hostDir } = settings
  const { pattern, dropped } = corePattern(hostDir)
  if (dropped.length > 0) {
    log.warn(
      { hostDir, dropped },
      'HOST_DIR is long: the composer will not know these facts of a crash',
    )
  }
  await makeDirectories(settings)
  try {
    await deployFiles(settings, log)
  } catch (error) {
    throw explainWriteError(hostDir, error)
  }
  if (settings.kernelManagedBy === 'node') {
    const found = await checkSysctls(settings, log)
    // a node may allow no program of its own: then there is a receiver
    if (found[CORE_PATTERN].startsWith('|')) await selfTest(settings)
    return { sysctls: found, backups: {} }
  }
  const byInitContainer = settings.kernelManagedBy === 'init-container'
  if (byInitContainer) await checkSysctls(settings, log)
  else {
    await selfTest(settings).catch((error: unknown) => {
      throw adviseReceiver(error, settings.receiverMode, whyNoSocket(settings))
    })
  }

  const sysctls = sysctlValues(settings, byInitContainer ? socketPattern(hostDir) : pattern)
  const backups = await takeOverSysctls(settings, sysctls, log)
  if (await wasRemoved(hostDir)) {
    await restoreSysctls(settings, log)
    throw new AgentError('REMOVED', '`remove` restored this node while it was being prepared')
  }
  if (settings.canary && !byInitContainer) await tryCanaryOrRestore(settings, pattern, log, attempt)
  return { sysctls, backups }
}

async function deployFiles(settings: AgentSettings, log: Log): Promise<void> {
  const { hostDir, composerEnv } = settings
  await rm(nodeFiles(hostDir).removing, { force: true }) // of a `remove` that was killed
  await deployCrictl(settings, log)
  await deployComposer(hostDir)
  await writeFileAtomic(nodeFiles(hostDir).composerEnv, composerEnv, { mode: 0o600 })
}

async function tryCanaryOrRestore(
  settings: AgentSettings,
  pattern: string,
  log: Log,
  { signal, isDelivered }: Attempt,
): Promise<void> {
  try {
    const tried = await tryCanaryWithoutJit(settings, pattern, signal, isDelivered, log)
    if (tried) log.info('a process that crashed for a test became a bundle')
  } catch (error) {
    await restoreSysctls(settings, log)
    throw adviseReceiver(error, settings.receiverMode, whyNoSocket(settings))
  }
}

async function makeDirectories({ hostDir, coreDir }: AgentSettings): Promise<void> {
  for (const dir of [hostDir, coreDir]) {
    try {
      await makeDirectory(dir)
    } catch (error) {
      throw explainWriteError(dir, error)
    }
  }
}

async function takeOverSysctls(
  { hostDir, sysctlRoot: root }: AgentSettings,
  wanted: SysctlValues,
  log: Log,
): Promise<PreparedNode['backups']> {
  const found = await readSysctls(root)
  const earlierHostDir = hostDirOf(found[CORE_PATTERN]) ?? hostDir
  const earlier = await readSysctlRecord(earlierHostDir)
  await recordSysctls(hostDir, { found, wanted, earlier })
  const taken = await takeOver(wanted, {
    root,
    backupDir: hostDir,
    isBackup,
    isOurs: ownership(found, earlier),
    earlierBackupDirs: earlierHostDir === hostDir ? [] : [earlierHostDir],
  })
  const backups: Record<string, string> = {}
  const values = new Map(Object.entries(wanted))
  for (const { key, found: from, changed, backup, unusable } of taken) {
    if (changed) log.info({ sysctl: key, from, to: values.get(key), backup }, 'sysctl set')
    if (backup !== undefined) backups[key] = backup
    if (unusable === undefined) continue
    log.error(
      { sysctl: key, unusable },
      'the backup of a sysctl cannot be used: `remove` will set the default of the kernel',
    )
  }
  if (earlierHostDir !== hostDir) {
    log.warn(
      { earlierHostDir },
      'took over from an agent with another HOST_DIR: `core-dump-agent remove` with that HOST_DIR deletes its files',
    )
  }
  return backups
}

const WORDS: Readonly<Record<string, string>> = {
  EROFS: 'is on a read-only file system; choose a directory that can be written',
  ENOSPC: 'is on a file system that is full; make room there, or choose another directory',
  EDQUOT: 'is on a file system whose quota is used up; choose another directory',
  EACCES: 'may not be written: SELinux, AppArmor or the owner of the directory denies it',
  EPERM: 'may not be written: SELinux, AppArmor or an attribute of the directory denies it',
  ENOTDIR: 'is below a file that is no directory',
  EEXIST: 'is no directory',
}

/** The error of a write below `dir` in words; what has words already stays as it is. */
function explainWriteError(dir: string, cause: unknown): Error {
  const root = rootOf(cause)
  const words = WORDS[codeOf(root) ?? '']
  if (words === undefined) return cause instanceof Error ? cause : root
  return new AgentError('DEPLOY', `The directory \`${dir}\` ${words} (${root.message})`, { cause })
}

function rootOf(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  return error.cause instanceof Error ? rootOf(error.cause) : error
}
