import { once } from 'node:events'
import { connect } from 'node:net'
import { portOf } from '@core-dump-handler/testing/network/free-ports'
import { DeliveredCanaries } from '@core-dump-handler/agent/internal/canary/canary-bundles'
import { Metrics } from '@core-dump-handler/agent/internal/monitoring/metrics'
import { Readiness } from '@core-dump-handler/agent/internal/monitoring/readiness'
import { serve } from '@core-dump-handler/agent/internal/monitoring/monitoring'
import { mutate } from '../generate/mutate.ts'
import type { Random } from '../generate/random.ts'
import { text } from '../generate/text.ts'
import { promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'

const PATHS = [
  '/healthz',
  '/readyz',
  '/metrics',
  '/delivered/canary-0',
  '//',
  '*',
  'http://x',
  '/%',
]
const QUIET = () => {}
const LOG = { debug: QUIET, info: QUIET, warn: QUIET, error: QUIET, fatal: QUIET }

export const http: Target = {
  name: 'http',
  what: 'requests to the agent',
  async begin() {
    const served = {
      metrics: new Metrics(),
      readiness: new Readiness({ usesDestination: true }),
      canaries: new DeliveredCanaries(),
    }
    const server = serve(0, served, LOG)
    await once(server, 'listening')
    const port = portOf(server)
    return {
      async round(random) {
        await ask(port, requestOf(random))
        const health = await fetch(`http://127.0.0.1:${port}/healthz`)
        promised((await health.text()) === 'ok\n', () => 'not healthy any more')
      },
      async end() {
        server.closeAllConnections()
        server.close()
      },
    }
  },
}

function requestOf(random: Random): Buffer {
  const target = random.once(3) ? text(random) : random.pick(PATHS)
  const method = random.pick(['GET', 'GET', 'HEAD', 'POST', 'OPTIONS', 'CONNECT', 'PRI'])
  const header = random.once(3) ? `${text(random)}: ${text(random)}\r\n` : ''
  const whole = Buffer.from(`${method} ${target} HTTP/1.1\r\nhost: a\r\n${header}\r\n`, 'latin1')
  return random.once(3) ? mutate(random, whole) : whole
}

async function ask(port: number, request: Buffer): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  const closed = new Promise((resolve) => socket.on('error', QUIET).once('close', resolve))
  socket.resume().end(request)
  await closed
}
