import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CommandContext } from '../context.ts'
import { AgentError } from '../error.ts'
import { watchDrops } from '../kernel-log/watch-drops.ts'
import { answer, type Answers } from '../monitoring/monitoring.ts'
import { awaitClaim } from '../node/lock-node.ts'
import { makeDirectory } from '../node/make-directory.ts'
import { wasRemoved } from '../node/node-files.ts'
import { prepareNode } from '../node/prepare-node.ts'
import { guardNode } from '../node/watch-node.ts'
import { startRecompressor } from '../recompress/start-recompressor.ts'
import { salvageBundles } from '../salvage/salvage-bundles.ts'
import { keepSpool } from '../spool/keep-spool.ts'
import { openCarrier } from '../upload/open-uploader.ts'
import { carry } from '../upload/upload-bundles.ts'

const RETRY_MS = 60_000

/** The daemon, until `signal` is aborted. Resolves with its exit code. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, log, signal } = context
  await hideOwnMemory().catch((err: unknown) => {
    log.warn({ err }, 'a core of the agent itself would hold its memory')
  })
  const answers = answer(context)
  let release: (() => void) | undefined
  let failure = 'cannot prepare this node; its sysctls are as they were'
  try {
    // where it cannot be made, preparing the node says why
    await makeDirectory(settings.hostDir).catch(() => undefined)
    release = await awaitClaim(settings, log, signal, (detail) =>
      answers.readiness.nodeUnprepared(detail),
    )
    await prepareOrExplain(context, answers, { isStart: true, release })
    failure = 'cannot carry bundles any more; the node goes on making them'
    void watchDrops(
      settings.hostDir,
      log,
      signal,
      (reason, crashes) => answers.metrics.countDrop(reason, crashes),
      (isReadable) => answers.metrics.kernelLogReadable.set(Number(isReadable)),
    )
    await carryBundles(context, answers)
  } catch (err) {
    if (!signal.aborted) {
      log.fatal({ err }, failure)
      return 1
    }
  } finally {
    release?.()
  }
  log.info('ended; the node goes on making bundles')
  return 0
}

/**
 * Where readiness is asked for, it tells what is wrong: bundles that are there are carried, and
 * the node is tried again. Where nobody asks, the exit code of the start has to tell.
 */
async function prepareOrExplain(
  context: CommandContext,
  answers: Answers,
  { isStart, release }: { readonly isStart: boolean; readonly release: () => void },
): Promise<void> {
  const { settings, log, signal } = context
  try {
    await prepare(context, answers, release)
  } catch (err) {
    if (signal.aborted || (isStart && settings.healthPort === 0)) throw err
    answers.readiness.nodeUnprepared(err instanceof Error ? err.message : String(err))
    if (err instanceof AgentError && err.code === 'REMOVED') {
      release()
      return log.info(err.message)
    }
    const wasThere = !(await wasRemoved(settings.hostDir))
    log.error(
      { err, retryInMs: RETRY_MS },
      'cannot prepare this node; its sysctls are as they were',
    )
    void sleep(RETRY_MS, undefined, { signal, ref: false })
      .then(async () => {
        if (wasThere && (await wasRemoved(settings.hostDir))) return release()
        await prepareOrExplain(context, answers, { isStart: false, release })
      })
      .catch(() => undefined) // aborted
  }
}

async function prepare(
  context: CommandContext,
  answers: Answers,
  release: () => void,
): Promise<void> {
  const { settings, log, signal } = context
  const { readiness, metrics, canaries } = answers
  const isDelivered = (canary: string): boolean => canaries.find(canary) !== undefined
  const node = await prepareNode(settings, log, { signal, isDelivered })
  readiness.nodePrepared()
  log.info({ hostDir: settings.hostDir }, 'this node is prepared: crashes become bundles')
  void guardNode(settings, node, log, signal, {
    onTampering: (sysctl) => metrics.tampering.inc({ sysctl }),
    onForeign: (foreign) => {
      if (foreign.length === 0) readiness.nodePrepared()
      else readiness.nodeUnprepared(`changed by somebody else: ${foreign.join(', ')}`)
    },
  })
    .catch(async (err: unknown) => {
      if (signal.aborted) return 'aborted' as const
      // such as a full disk: the backups that were deleted cannot be written again
      log.error({ err, retryInMs: RETRY_MS }, 'cannot look after this node')
      readiness.nodeUnprepared(err instanceof Error ? err.message : String(err))
      await sleep(RETRY_MS, undefined, { signal, ref: false })
      return (await wasRemoved(settings.hostDir)) ? ('removed' as const) : ('deleted' as const)
    })
    .then(async (end) => {
      if (end === 'deleted') {
        await prepareOrExplain(context, answers, { isStart: false, release })
      }
      if (end !== 'removed') return
      readiness.nodeUnprepared('`remove` gave this node back; delete this pod to take it again')
      // whoever comes next finds the node free, also while we go on carrying
      release()
    })
    .catch(() => undefined) // aborted
}

async function carryBundles(context: CommandContext, answers: Answers): Promise<void> {
  const { settings, log, signal } = context
  const { metrics } = answers
  const spool = keepSpool(context, (reason, crashes) => metrics.countDrop(reason, crashes))
  const recompressor = await startRecompressor(context, metrics, spool, (name) =>
    carrier?.queue.refresh(name),
  )
  const carrier = openCarrier(settings, log, {
    onEvent: (event) => {
      spool.onQueueEvent(event)
      answers.onQueueEvent(event)
      recompressor?.note(event)
    },
    ...(recompressor && { holdBack: recompressor.holdBack }),
    onUnusable: (error) => answers.readiness.destinationFailed(error),
  })
  if (carrier !== undefined) answers.watch(carrier)
  const salvaging = salvageBundles(context, (outcome) => metrics.salvages.inc({ outcome }))
  await carry(settings, carrier, log, signal)
  await Promise.all([salvaging, spool.ended, recompressor?.ended()])
}

/**
 * Keep our memory, and the store's keys in it, out of a core of ourselves: with an empty
 * coredump_filter the kernel dumps the headers and registers alone, core(5). Children inherit it.
 */
export async function hideOwnMemory(): Promise<void> {
  await writeFile('/proc/self/coredump_filter', '0')
}
