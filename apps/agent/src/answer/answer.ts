import type { QueueEvent } from '@core-dump-handler/upload'
import type { Carrier } from '../carry/open-carrier.ts'
import { apiServer } from '../cluster/api-server.ts'
import { PodEvents } from '../cluster/pod-events.ts'
import type { CommandContext } from '../command.ts'
import type { Delivery } from './bundle-book.ts'
import { Canaries } from './canaries.ts'
import { queueCounter } from './count-queue-event.ts'
import { Metrics } from './metrics.ts'
import { probeDestination } from './probe-destination.ts'
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
