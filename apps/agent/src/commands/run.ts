import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { removeLeftOverCanaries } from '../canary/canary-bundles.ts'
import type { CommandContext } from '../context.ts'
import { AgentError, messageOf } from '../error.ts'
import { watchDrops } from '../kernel-log/watch-drops.ts'
import { startMonitoring, type Monitoring } from '../monitoring/monitoring.ts'
import { waitForLock } from '../node/lock-node.ts'
import { makeDirectory, wasRemoved } from '../node/node-files.ts'
import { prepareNode } from '../node/prepare-node.ts'
import { watchNode } from '../node/watch-node.ts'
import { BinaryUploads } from '../binaries/binary-uploads.ts'
import { ReceiverSupervisor } from '../receiver/receiver-supervisor.ts'
import { salvageBundles } from '../salvage/salvage-bundles.ts'
import { keepSpool } from '../spool/spool.ts'
import { LostBundles } from '../upload/lost-bundles.ts'
import { openUploader } from '../upload/open-uploader.ts'
import { uploadBundles } from '../upload/upload-bundles.ts'

const RETRY_MS = 60_000

/** The daemon, until `signal` is aborted. Resolves with its exit code. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, log, signal } = context
  await hideOwnMemory().catch((err: unknown) => {
    log.warn(
      { err },
      'cannot empty coredump_filter: a core of the agent itself would contain its memory',
    )
  })
  const monitoring = startMonitoring(context)
  let release: (() => void) | undefined
  let failure = 'cannot prepare this node; its sysctls are as they were'
  try {
    // where it cannot be made, preparing the node reports why
    await makeDirectory(settings.hostDir).catch(() => undefined)
    release = await waitForLock(settings, log, signal, (detail) =>
      monitoring.readiness.nodeUnprepared(detail),
    )
    await removeLeftOverCanaries(settings, log).catch((err: unknown) => {
      log.warn({ err }, 'cannot delete the left-over of a process that crashed for a test')
    })
    await prepareOrExplain(context, monitoring, { isStart: true, release })
    failure = 'cannot upload bundles any more; crashes still become bundles on this node'
    void watchDrops(
      settings.hostDir,
      log,
      signal,
      (reason, crashes) => monitoring.metrics.countDrop(reason, crashes),
      (isReadable) => monitoring.metrics.kernelLogReadable.set(Number(isReadable)),
    )
    const { readiness } = monitoring
    const attempt = { signal, isDelivered: isDeliveredBy(monitoring) }
    const supervisor = new ReceiverSupervisor(settings, log, attempt, {
      onEntry({ entry, detail }) {
        const isAllowed = entry === 'pipe' && settings.receiverMode !== 'required'
        const ok = entry === 'socket' || isAllowed
        readiness.receiverIs(ok, `${entry}: ${detail}`)
      },
      onLost: (reason, crashes) => monitoring.metrics.countDrop(reason, crashes),
    })
    void supervisor.run()
    await runUploads(context, monitoring, supervisor)
  } catch (err) {
    if (!signal.aborted) {
      log.fatal({ err }, failure)
      return 1
    }
  } finally {
    release?.()
  }
  log.info('ended; crashes still become bundles on this node')
  return 0
}

/**
 * With HEALTH_PORT a failure is reported by the readiness: waiting bundles are uploaded, and the node
 * is prepared again later. Without it a failure at the start ends the agent with an exit code.
 */
async function prepareOrExplain(
  context: CommandContext,
  monitoring: Monitoring,
  { isStart, release }: { readonly isStart: boolean; readonly release: () => void },
): Promise<void> {
  const { settings, log, signal } = context
  try {
    await prepare(context, monitoring, release)
  } catch (err) {
    if (signal.aborted || (isStart && settings.healthPort === 0)) throw err
    monitoring.readiness.nodeUnprepared(messageOf(err))
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
        await prepareOrExplain(context, monitoring, { isStart: false, release })
      })
      .catch(() => undefined) // aborted
  }
}

async function prepare(
  context: CommandContext,
  monitoring: Monitoring,
  release: () => void,
): Promise<void> {
  const { settings, log, signal } = context
  const { readiness, metrics } = monitoring
  const isDelivered = isDeliveredBy(monitoring)
  const node = await prepareNode(settings, log, { signal, isDelivered })
  readiness.nodePrepared()
  log.info({ hostDir: settings.hostDir }, 'this node is prepared: crashes become bundles')
  void watchNode(settings, node, log, signal, {
    onDrift: (sysctl) => metrics.drift.inc({ sysctl }),
    onChanged: (names) => {
      if (names.length === 0) readiness.nodePrepared()
      else readiness.nodeUnprepared(`changed by another program: ${names.join(', ')}`)
    },
  })
    .catch(async (err: unknown) => {
      if (signal.aborted) return 'aborted' as const
      // such as a full disk: the backups that were deleted cannot be written again
      log.error({ err, retryInMs: RETRY_MS }, 'cannot watch the sysctls and files of this node')
      readiness.nodeUnprepared(messageOf(err))
      await sleep(RETRY_MS, undefined, { signal, ref: false })
      return (await wasRemoved(settings.hostDir)) ? ('removed' as const) : ('deleted' as const)
    })
    .then(async (end) => {
      if (end === 'deleted') {
        await prepareOrExplain(context, monitoring, { isStart: false, release })
      }
      if (end !== 'removed') return
      readiness.nodeUnprepared(
        '`remove` has restored this node; delete this pod to prepare it again',
      )
      // another agent may lock the node, also while this one still uploads
      release()
    })
    .catch(() => undefined) // aborted
}

/** The uploads may be faster than what waits for a canary. */
function isDeliveredBy({ canaries, lateCanaries }: Monitoring): (canary: string) => boolean {
  return (canary) => canaries.find(canary) !== undefined || lateCanaries.hasDeleted(canary)
}

async function runUploads(
  context: CommandContext,
  monitoring: Monitoring,
  supervisor: ReceiverSupervisor,
): Promise<void> {
  const { settings, log, signal } = context
  const { metrics, lateCanaries } = monitoring
  monitoring.countCrashes()
  const spool = keepSpool(context, (reason, crashes) => metrics.countDrop(reason, crashes))
  const binaries = new BinaryUploads(context, (event) => metrics.countBinary(event))
  const lost = new LostBundles(
    log,
    (reason) => metrics.countDrop(reason),
    (file) => uploader?.destination.abandon(file),
  )
  const uploader = openUploader(settings, log, {
    onEvent: (event) => {
      binaries.onQueueEvent(event)
      lost.onQueueEvent(event)
      spool.onQueueEvent(event)
      monitoring.onQueueEvent(event)
    },
    defer: (file) => lateCanaries.defer(file),
    onUnusable: (reason) => monitoring.readiness.destinationFailed(reason),
  })
  if (uploader !== undefined) monitoring.watch(uploader)
  const salvaging = salvageBundles(context, {
    onSalvaged: (outcome) => metrics.salvages.inc({ outcome }),
    receiver: () => supervisor.receiver,
  })
  const uploadingBinaries = binaries.run(uploader)
  await uploadBundles(settings, uploader, log, signal)
  await Promise.all([salvaging, spool.ended, uploadingBinaries])
}

/**
 * Keeps our memory, and the store's keys in it, out of a core of this process: with an empty
 * coredump_filter the kernel dumps only headers and registers, core(5). Children inherit it.
 */
async function hideOwnMemory(): Promise<void> {
  await writeFile('/proc/self/coredump_filter', '0')
}
