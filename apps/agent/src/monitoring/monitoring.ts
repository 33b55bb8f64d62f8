import { setTimeout as sleep } from 'node:timers/promises'
import { type Destination, isUploadError, type QueueEvent } from '@core-dump-handler/upload'
import { DeliveredCanaries } from '../canary/delivered-canaries.ts'
import { apiServer } from '../cluster/api-server.ts'
import { PodEvents } from '../cluster/pod-events.ts'
import type { CommandContext } from '../context.ts'
import { nodeFiles, wasRemoved } from '../node/node-files.ts'
import type { Uploader } from '../upload/open-uploader.ts'
import { CrashCounter } from './crash-counter.ts'
import type { Delivery } from './manifest-cache.ts'
import { Metrics } from './metrics.ts'
import { queueObserver } from './observe-queue.ts'
import { Readiness } from './readiness.ts'
import { serve } from './serve.ts'

/** Health, readiness and metrics of this agent. */
export interface Monitoring {
  readonly readiness: Readiness
  readonly metrics: Metrics
  readonly canaries: DeliveredCanaries
  readonly onQueueEvent: (event: QueueEvent) => void
  /** Counts crashes from now on. */
  countCrashes(): void
  /** Adds the figures of the queue, and checks the destination regularly. */
  watch(uploader: Uploader): void
}

const PROBE_MS = 60_000
const RETRY_MS = 5000

/** Keeps health, readiness and metrics until the signal is aborted; serves them on HEALTH_PORT, if set. */
export function startMonitoring({ settings, env, log, signal }: CommandContext): Monitoring {
  const { coreDir, destination, healthPort, hostDir, trigger } = settings
  const readiness = new Readiness({
    usesDestination: destination !== undefined && trigger.kind !== 'none',
  })
  const metrics = new Metrics()
  const canaries = new DeliveredCanaries()
  const crashes = new CrashCounter({
    coreDir,
    stateFile: nodeFiles(hostDir).counted,
    keepsState: async () => !(await wasRemoved(hostDir)),
    onFound: (manifest) => metrics.countBundle(manifest),
  })
  const server = settings.podEvents ? apiServer(env) : undefined
  const podEvents = server && new PodEvents(server, env['NODE_NAME'], log)
  for (const { name } of readiness.checks()) {
    const ok = (): boolean => readiness.checks().find((check) => check.name === name)?.ok ?? false
    const help = `1: the check \`${name}\` of /readyz passes; 0: it fails.`
    metrics.gauge(`${name}_ready`, help, () => Number(ok()))
  }
  if (healthPort > 0) {
    const http = serve(healthPort, { metrics, readiness, canaries }, log)
    signal.addEventListener('abort', () => http.close().closeAllConnections(), { once: true })
  }
  const onDelivery = (delivery: Delivery): void => {
    canaries.note(delivery)
    podEvents?.note(delivery)
  }
  return {
    readiness,
    metrics,
    canaries,
    onQueueEvent: queueObserver(metrics, readiness, crashes, onDelivery),
    countCrashes: () => crashes.start(signal),
    watch({ queue, destination: where }) {
      const ageSeconds = (): number => {
        const { oldestMtimeMs } = queue.stats()
        return oldestMtimeMs === undefined ? 0 : Math.max(0, Date.now() - oldestMtimeMs) / 1000
      }
      const gauges: [string, string, () => number][] = [
        ['queue_bundles', 'Bundles that wait for their upload.', () => queue.stats().files],
        [
          'queue_bytes',
          'Bytes of the bundles that wait for their upload.',
          () => queue.stats().bytes,
        ],
        [
          'queue_oldest_seconds',
          'Age in seconds of the oldest bundle that waits for its upload.',
          ageSeconds,
        ],
      ]
      for (const gauge of gauges) metrics.gauge(...gauge)
      if (healthPort > 0) void probeDestination(where, readiness, signal)
    },
  }
}

/** Checks the destination regularly, so that a failure shows before the first crash. Resolves once aborted. */
async function probeDestination(
  destination: Destination,
  readiness: Readiness,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    let waitMs = PROBE_MS
    try {
      await destination.check({ signal })
      readiness.destinationAnswered()
    } catch (error) {
      if (isUploadError(error)) readiness.destinationFailed(error.message)
      waitMs = RETRY_MS
    }
    await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined)
  }
}
