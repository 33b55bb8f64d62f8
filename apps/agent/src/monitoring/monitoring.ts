import { createServer, type Server, type ServerResponse } from 'node:http'
import type { QueueEvent } from '@core-dump-handler/upload'
import { DeliveredCanaries, LateCanaries } from '../canary/canary-bundles.ts'
import { apiServer } from '../cluster/api-server.ts'
import { OwnPodEvents, PodEvents } from '../cluster/pod-events.ts'
import type { CommandContext } from '../context.ts'
import type { Log } from '../log/open-log.ts'
import { nodeFiles, wasRemoved } from '../node/node-files.ts'
import { CrashTelemetry } from '../telemetry/crash-telemetry.ts'
import type { Uploader } from '../upload/open-uploader.ts'
import { CrashCounter } from './crash-counter.ts'
import { CrashHistory } from './crash-history.ts'
import { isOwnRecord, Metrics } from './metrics.ts'
import { type Delivery, queueObserver } from './queue-observer.ts'
import { type Check, probeDestination, Readiness } from './readiness.ts'

/** Health, readiness and metrics of this agent. */
export interface Monitoring {
  readonly readiness: Readiness
  readonly metrics: Metrics
  readonly canaries: DeliveredCanaries
  readonly lateCanaries: LateCanaries
  readonly onQueueEvent: (event: QueueEvent) => void
  /** Counts crashes from now on. */
  countCrashes(): void
  /** Adds the figures of the queue, and checks the destination where no transfer does. */
  watch(uploader: Uploader): void
}

const GAUGES: Readonly<Record<Check['name'], string>> = {
  node: '1: this node is prepared, so crashes become bundles; 0: it is not.',
  receiver: '1: crashes come the way that RECEIVER_MODE asks for; 0: they do not.',
  destination: '1: the destination answers and refused no bundle that waits; 0: it fails.',
}

/** Keeps health, readiness and metrics until the signal is aborted; serves them on HEALTH_PORT, if set. */
export function startMonitoring({ settings, env, log, signal }: CommandContext): Monitoring {
  const { coreDir, destination, healthPort, hostDir, trigger } = settings
  const server = settings.podEvents ? apiServer(env) : undefined
  const { secrets } = settings
  const ownEvents = server && new OwnPodEvents({ server, env, secrets, log })
  // one line for each change: the queue logs what its uploads find
  let isFailureLogged = false
  const readiness = new Readiness({
    usesDestination: destination !== undefined && trigger.kind !== 'none',
    receiverMode: settings.receiverMode,
    onDestination: (check, by) => {
      if (!check.ok && by === 'probe') {
        isFailureLogged = true
        log.warn({ reason: check.detail }, 'the destination fails: bundles wait on this node')
      } else if (check.ok && isFailureLogged) {
        isFailureLogged = false
        log.info('the destination works again')
      }
      ownEvents?.note(check)
    },
  })
  const metrics = new Metrics()
  const canaries = new DeliveredCanaries()
  const lateCanaries = new LateCanaries(settings, log)
  const keepsState = async (): Promise<boolean> => !(await wasRemoved(hostDir))
  const history = new CrashHistory({ stateFile: nodeFiles(hostDir).crashes, keepsState, log })
  const crashes = new CrashCounter({
    coreDir,
    stateFile: nodeFiles(hostDir).counted,
    keepsState,
    onFound: (manifest) => {
      if (lateCanaries.isCanary(manifest)) return
      metrics.countBundle(manifest)
      if (manifest !== undefined && !isOwnRecord(manifest)) history.note(manifest)
    },
  })
  const nodeName = env['NODE_NAME']
  const telemetry = settings.otlpLogsUrl
    ? new CrashTelemetry({ url: settings.otlpLogsUrl, nodeName, log, signal })
    : undefined
  const podEvents = server && new PodEvents(server, nodeName, log)
  for (const { name } of readiness.checks()) {
    const ok = (): boolean => readiness.checks().find((check) => check.name === name)?.ok ?? false
    metrics.gauge(`${name}_ready`, GAUGES[name], () => Number(ok()))
  }
  if (healthPort > 0) {
    const http = serve(healthPort, { metrics, readiness, canaries }, log)
    signal.addEventListener('abort', () => http.close().closeAllConnections(), { once: true })
  }
  const onDelivery = (delivery: Delivery, file: string): void => {
    canaries.note(delivery)
    history.delivered(delivery)
    podEvents?.note(delivery, history.timesSeen(delivery.manifest))
    if (!isOwnRecord(delivery.manifest)) telemetry?.delivered(delivery, file)
  }
  const observe = queueObserver(metrics, readiness, crashes, onDelivery)
  return {
    readiness,
    metrics,
    canaries,
    lateCanaries,
    onQueueEvent: (event) => {
      telemetry?.note(event)
      observe(event)
    },
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
      if (healthPort > 0) {
        void probeDestination(where, readiness, () => queue.stats().paused, signal)
      }
    },
  }
}

/** What the server answers with. */
export interface Served {
  readonly metrics: Metrics
  readonly readiness: Readiness
  readonly canaries: DeliveredCanaries
}

/** Monitoring `/healthz`, `/readyz` and `/metrics` on `port`. A port that cannot be had is logged, and never stops the agent. */
export function serve(port: number, { metrics, readiness, canaries }: Served, log: Log): Server {
  const server = createServer((request, response) => {
    // not by URL, which throws at paths such as `//`
    const pathname = request.url?.split('?', 1)[0] ?? '/'
    if (request.method !== 'GET' && request.method !== 'HEAD') return reply(response, 405, '')
    if (pathname === '/healthz') return reply(response, 200, 'ok\n')
    if (pathname === '/readyz') return answerReady(response, readiness)
    if (pathname === '/metrics') return void answerMetrics(response, metrics)
    const canary = /^\/delivered\/([\w-]+)$/.exec(pathname)?.[1]
    if (canary !== undefined) return answerDelivered(response, canaries.find(canary))
    reply(response, 404, 'not found: this server has /healthz, /readyz and /metrics\n')
  })
  server.on('error', (err) => log.error({ port, err }, 'cannot serve health checks and metrics'))
  server.listen(port, () => log.info({ port }, 'health checks and metrics are served'))
  // neither a probe nor an open connection keeps the process alive
  server.unref()
  return server
}

function answerReady(response: ServerResponse, readiness: Readiness): void {
  const checks = readiness.checks()
  const text = checks.map(({ name, ok, detail }) => `${ok ? 'ok' : 'not ok'} ${name}: ${detail}\n`)
  reply(response, readiness.isReady ? 200 : 503, text.join(''))
}

function answerDelivered(response: ServerResponse, url: string | undefined): void {
  if (url === undefined) reply(response, 404, 'not delivered yet\n')
  else reply(response, 200, `${url}\n`)
}

async function answerMetrics(response: ServerResponse, { registry }: Metrics): Promise<void> {
  try {
    const text = await registry.metrics()
    reply(response, 200, text, registry.contentType)
  } catch (error) {
    reply(response, 500, `${String(error)}\n`)
  }
}

function reply(response: ServerResponse, status: number, text: string, type = 'text/plain'): void {
  response.writeHead(status, { 'content-type': type }).end(text)
}
