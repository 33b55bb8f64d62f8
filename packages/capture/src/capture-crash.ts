import { DeferredLookup } from './lookup/deferred-lookup.ts'
import type { Bundle } from './bundle/open-bundle.ts'
import type { Slot } from './concurrency/limiter.ts'
import type { CaptureContext, CaptureResult } from './context.ts'
import type { CoreSource } from './core-source.ts'
import { type Crash, describeCrash, lookupSubject, snapshotCrash } from './crash.ts'
import { limitRate } from './decide/rate-limit.ts'
import { applyPolicy, freeAtOnce } from './decide/select.ts'
import { fairnessScope, workloadOf } from './decide/workload.ts'
import { ReportTask } from './report/report-task.ts'
import { randomUuid } from './bundle/name.ts'
import { errorMessage } from './text.ts'

/** After a stop, a file that is still to be created is waited for so long; its process is released. */
const DISK_GRACE_MS = 5000

/**
 * One crash, from its core to a bundle under its final name. Rejects when no bundle could be
 * written; the error is in the log by then, and the process released.
 */
export async function captureCrash(
  crash: Crash,
  source: CoreSource,
  context: CaptureContext,
): Promise<CaptureResult> {
  const { limiter, log } = context
  let slot: Slot | undefined
  let lookup: DeferredLookup | undefined
  let task: ReportTask | undefined
  let bundle: Bundle | undefined
  let copyBinaries: (() => Promise<void>) | undefined
  try {
    // snapshot: what vanishes with the process is read before the first byte of its core
    const { isolated, settings } = context
    const snapshot = await (isolated?.snapshot(crash) ?? snapshotCrash(crash, settings))
    const workload = workloadOf(crash, snapshot)

    // decide: a crash that is only recorded is released as soon as its stacks are read
    const limited = await limitRate(crash, workload, context)
    if (limited.take === 'nothing') return ignore(limited.reason, source, context)
    const wanted = limited.take === 'core' ? await applyPolicy(crash, context, freeAtOnce) : limited
    const released = wanted.take !== 'core'
    if (released) {
      task = new ReportTask(crash, snapshot, source, context)
      await task.readUnwanted()
      source.release()
    }

    // wait for a slot before anything more is loaded, then read what a small core has
    slot = await limiter.acquire({ ...context, scope: fairnessScope(workload, crash), released })
    // not before: the threads that open files would be memory of each crash that waits
    task ??= new ReportTask(crash, snapshot, source, context, slot.load)
    await task.opened()
    if (!released && !source.canReject) await source.open()
    const steps = await import('./capture-steps.ts')

    // look up: the runtime is waited for only where the selector or the file name needs it
    lookup = new DeferredLookup(lookupSubject(crash, snapshot), context)
    const early = await lookup.resolveEarly()
    const selected = limited.take === 'core' ? steps.selectByLabel(crash, early, context) : limited
    if (selected.take === 'nothing') return ignore(selected.reason, source, context)
    const rejected = [selected, wanted].find((decision) => decision.take === 'record')
    // the disk may have filled up meanwhile
    const allowed = rejected ?? (await steps.applyPolicy(crash, context))
    // nothing was copied so far: from here on the core is wanted
    if (allowed.take === 'core' && source.canReject) await source.open()
    const { decision, settle } = await steps.limitFingerprint(allowed, task, context)

    // drain: the process is held until this is done
    const uuid = await randomUuid()
    const opening = steps.openBundle(crash, uuid, early?.identity, context)
    bundle = await answerOf(opening, source, context)
    context.onOpened?.()
    await task.load()
    if (decision.take !== 'core' && !released) await task.readUnwanted()
    const writing =
      decision.take === 'core'
        ? steps.writeCore(bundle, source, context, task)
        : steps.rejectCore(decision, source, context)
    const turn = writing.then(() => slot?.drained())
    lookup.start(turn)
    steps.syncNameLater(context.directory, writing)
    const { core, failed } = await writing
    settle(core)

    // write metadata: no process is held any more
    const load = (await turn) ?? 'low'
    const [found, report] = await Promise.all([
      lookup.result(),
      task.analyze(load, core.reasonCode),
    ])
    const metadata = { crash, snapshot, found, lookup, core, source, report }
    await steps.writeMetadata(bundle, metadata, context)

    // publish
    const path = await steps.publish(bundle, crash, found, source, context)
    if (context.settings.binaries) {
      copyBinaries = async () => task?.copyBinaries(load, core.reasonCode)
    }
    const { podInfo, psInfo, identity } = found
    const hasOwner =
      context.settings.ignoreCrio || crash.hostname === '' || identity.status === 'host'
    const podMissing = !hasOwner && (podInfo === undefined || psInfo === undefined)
    return { path, coreFailed: failed, podMissing }
  } catch (error) {
    // before anything is waited for: this is the only record of the crash
    source.release()
    log.write('error', `Could not make a bundle${describeCrash(crash)}: ${errorMessage(error)}`)
    throw error
  } finally {
    await lookup?.close()
    await bundle?.store?.close()
    slot?.release()
    // no process and no other crash waits for these
    await context.warnings.guard('BINARIES_FAILED', () => copyBinaries?.())
    task?.close()
  }
}

/** What `opening` becomes. A disk that hangs does not hold the process beyond a stop. */
async function answerOf<T>(
  opening: Promise<T>,
  source: CoreSource,
  { stop, directory }: CaptureContext,
): Promise<T> {
  const released = Promise.withResolvers<undefined>()
  let timer: NodeJS.Timeout | undefined
  const onStop = (): void => {
    source.release()
    timer = setTimeout(() => released.resolve(undefined), DISK_GRACE_MS)
  }
  if (stop.signal.aborted) onStop()
  stop.signal.addEventListener('abort', onStop)
  try {
    const opened = await Promise.race([opening, released.promise])
    if (opened !== undefined) return opened
    throw new Error(
      `cannot create a file in \`${directory}\`: the disk does not answer; check the disk of this node`,
    )
  } finally {
    clearTimeout(timer)
    stop.signal.removeEventListener('abort', onStop)
  }
}

function ignore(reason: string, source: CoreSource, { log }: CaptureContext): CaptureResult {
  source.release()
  log.write('info', `Ignored: ${reason}`)
  return { coreFailed: false, podMissing: false }
}
