import { mkdir } from 'node:fs/promises'
import type { CommandContext } from './command.ts'
import { answer, type Answers } from './answer/answer.ts'
import { carry } from './carry/carry.ts'
import { openCarrier } from './carry/open-carrier.ts'
import type { Log } from './log/open-log.ts'
import { awaitClaim } from './node/await-claim.ts'
import { guardSysctls } from './node/guard-sysctls.ts'
import { hideOwnMemory } from './node/own-core.ts'
import { prepareNode } from './node/prepare-node.ts'
import type { AgentSettings } from './settings/settings.ts'

/** The daemon, until `signal` is aborted. Resolves with its exit code. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, log, signal } = context
  await hideOwnMemory().catch((err: unknown) => {
    log.warn({ err }, 'a core of the agent itself would hold its memory')
  })
  const answers = answer(context)
  let release: (() => void) | undefined
  try {
    await mkdir(settings.hostDir, { recursive: true, mode: 0o700 })
    release = await awaitClaim(settings, log, signal)
    await prepare(settings, log, signal, answers)
    await carryBundles(settings, log, signal, answers)
  } catch (err) {
    if (!signal.aborted) {
      log.fatal({ err }, 'cannot prepare this node; its sysctls are as they were')
      return 1
    }
  } finally {
    release?.()
  }
  log.info('ended; the node goes on making bundles')
  return 0
}

async function prepare(
  settings: AgentSettings,
  log: Log,
  signal: AbortSignal,
  { readiness, metrics }: Answers,
): Promise<void> {
  const { sysctls } = await prepareNode(settings, log)
  readiness.nodePrepared()
  log.info({ hostDir: settings.hostDir }, 'this node is prepared: crashes become bundles')
  void guardSysctls(settings, sysctls, log, signal, (sysctl, restored) => {
    metrics.tampering.inc({ sysctl })
    if (!restored) readiness.nodeUnprepared(`${sysctl} was changed by somebody else`)
  })
}

async function carryBundles(
  settings: AgentSettings,
  log: Log,
  signal: AbortSignal,
  answers: Answers,
): Promise<void> {
  const carrier = openCarrier(settings, log, answers.onQueueEvent)
  if (carrier !== undefined) answers.watch(carrier)
  await carry(settings, carrier, log, signal)
}
