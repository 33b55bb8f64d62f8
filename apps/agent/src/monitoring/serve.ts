import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Log } from '../log/open-log.ts'
import type { DeliveredCanaries } from '../canary/canary-bundles.ts'
import type { Metrics } from './metrics.ts'
import type { Readiness } from './readiness.ts'

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
