import { mkdir } from 'node:fs/promises'
import { carry } from './carry/carry.ts'
import { openCarrier } from './carry/open-carrier.ts'
import type { Log } from './log/open-log.ts'
import { awaitClaim } from './node/await-claim.ts'
import { hideOwnMemory } from './node/own-core.ts'
import { prepareNode } from './node/prepare-node.ts'
import type { AgentSettings } from './settings/settings.ts'

/** The daemon, until `signal` is aborted. Resolves with its exit code. */
export async function run(settings: AgentSettings, log: Log, signal: AbortSignal): Promise<number> {
  await hideOwnMemory().catch((err: unknown) => {
    log.warn({ err }, 'a core of the agent itself would hold its memory')
  })
  try {
    await mkdir(settings.hostDir, { recursive: true, mode: 0o700 })
    const release = await awaitClaim(settings, log, signal)
    try {
      await prepareNode(settings, log)
      log.info({ hostDir: settings.hostDir }, 'this node is prepared: crashes become bundles')
      await carry(settings, openCarrier(settings, log), log, signal)
    } finally {
      release()
    }
  } catch (err) {
    if (!signal.aborted) {
      log.fatal({ err }, 'cannot prepare this node; what was changed is as before')
      return 1
    }
  }
  log.info('ended; the node goes on making bundles')
  return 0
}
