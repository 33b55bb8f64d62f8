import { once } from 'node:events'
import { request } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { portOf } from '@core-dump-handler/testing/agent/free-port'
import { DeliveredCanaries } from '../canary/canary-bundles.ts'
import { Metrics } from './metrics.ts'
import { Readiness } from './readiness.ts'
import { serve } from './monitoring.ts'

const quiet = (): void => {}
const LOG = { debug: quiet, info: quiet, warn: quiet, error: quiet, fatal: quiet }

async function statusOf(port: number, path: string): Promise<number | undefined> {
  const call = request({ port, path, agent: false }).end()
  const [response] = await once(call, 'response')
  response.resume()
  return response.statusCode
}

test.for(['//', '//a:b/', '/%', '/healthz/..', '/?x=//'])(
  'a request for %s is answered, and so is the next one',
  async (path) => {
    const server = serve(
      0,
      {
        metrics: new Metrics(),
        readiness: new Readiness({ usesDestination: false }),
        canaries: new DeliveredCanaries(),
      },
      LOG,
    )
    onTestFinished(() => server.close().closeAllConnections())
    await once(server, 'listening')
    const port = portOf(server)
    expect(await statusOf(port, path)).toBe(404)
    expect(await statusOf(port, '/healthz?verbose')).toBe(200)
  },
)
