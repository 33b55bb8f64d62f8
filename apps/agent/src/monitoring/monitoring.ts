import { setTimeout as sleep } from 'node:timers/promises'
import { type Destination, isUploadError, type QueueEvent } from '@core-dump-handler/upload'
import { Canaries } from '../canary/delivered-canaries.ts'
import { apiServer } from '../cluster/api-server.ts'
import { PodEvents } from '../cluster/pod-events.ts'
import type { CommandContext } from '../context.ts'
import type { Carrier } from '../upload/open-uploader.ts'
import type { Delivery } from './manifest-cache.ts'
import { Metrics } from './metrics.ts'
import { queueCounter } from './observe-queue.ts'
import { Readiness } from './readiness.ts'
import { serve } from './serve.ts'

/** What the rest of the agent tells those who ask from outside. */
export interface Answers {
  readonly readiness: Readiness
  readonly metrics: Metrics
  readonly canaries: Canaries
  readonly onQueueEvent: (event: QueueEvent) => void
  /** From now on the carrier is asked as well. */
  watch(carrier: Carrier): void
}

/** Health, readiness and metrics, until the signal is aborted; on HTTP where HEALTH_PORT says so. */
export function answer({ settings, env, log, signal }: CommandContext): Answers {
  const { healthPort, destination, trigger } = settings
  const readiness = new Readiness({
    usesDestination: destination !== undefined && trigger.kind !== 'none',
  })
  const metrics = new Metrics()
  const canaries = new Canaries()
  const server = settings.podEvents ? apiServer(env) : undefined
  const podEvents = server && new PodEvents(server, env['NODE_NAME'], log)
  for (const { name } of readiness.checks()) {
    const ok = (): boolean => readiness.checks().find((check) => check.name === name)?.ok ?? false
    metrics.gauge(`${name}_ready`, `1: the check \`${name}\` of /readyz holds.`, () => Number(ok()))
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
    onQueueEvent: queueCounter(metrics, readiness, onDelivery),
    watch({ queue, destination: where }) {
      const ageSeconds = (): number => {
        const { oldestMtimeMs } = queue.stats()
        return oldestMtimeMs === undefined ? 0 : Math.max(0, Date.now() - oldestMtimeMs) / 1000
      }
      metrics.gauge('queue_bundles', 'Bundles that wait.', () => queue.stats().files)
      metrics.gauge('queue_bytes', 'Bytes of those.', () => queue.stats().bytes)
      metrics.gauge('queue_oldest_seconds', 'Age of the oldest of those.', ageSeconds)
      if (healthPort > 0) void probeDestination(where, readiness, signal)
    },
  }
}

const PROBE_MS = 60_000
const RETRY_MS = 5000

/** Ask the destination now and then, so that a broken one shows before the first crash needs it. Resolves once aborted. */
export async function probeDestination(
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
      if (isUploadError(error)) readiness.destinationFailed(error)
      waitMs = RETRY_MS
    }
    await sleep(waitMs, undefined, { signal, ref: false }).catch(() => undefined)
  }
}
