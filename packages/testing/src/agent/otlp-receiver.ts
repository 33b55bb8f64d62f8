import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { text } from 'node:stream/consumers'
import * as v from 'valibot'
import { portOf } from './free-port.ts'

// opentelemetry-proto, logs/v1: 64-bit integers are strings in JSON
const VALUE = v.union([
  v.strictObject({ stringValue: v.string() }),
  v.strictObject({ boolValue: v.boolean() }),
  v.strictObject({ intValue: v.union([v.number(), v.string()]) }),
  v.strictObject({ doubleValue: v.number() }),
])
const ATTRIBUTES = v.pipe(
  v.array(v.strictObject({ key: v.string(), value: VALUE })),
  v.transform((all) =>
    Object.fromEntries(all.map(({ key, value }) => [key, Object.values(value)[0]] as const)),
  ),
)
const NANOSECONDS = v.pipe(v.string(), v.regex(/^\d{19}$/))
const LOG_RECORD = v.looseObject({
  timeUnixNano: NANOSECONDS,
  observedTimeUnixNano: NANOSECONDS,
  severityNumber: v.number(),
  severityText: v.string(),
  body: v.strictObject({ stringValue: v.string() }),
  attributes: ATTRIBUTES,
})
const REQUEST = v.strictObject({
  resourceLogs: v.array(
    v.looseObject({
      resource: v.looseObject({ attributes: ATTRIBUTES }),
      scopeLogs: v.array(
        v.looseObject({
          scope: v.looseObject({ name: v.string() }),
          logRecords: v.array(LOG_RECORD),
        }),
      ),
    }),
  ),
})

type Attributes = Readonly<v.InferOutput<typeof ATTRIBUTES>>

/** A log record, and the attributes of its resource. */
export interface ReceivedLog {
  readonly resource: Attributes
  readonly attributes: Attributes
  readonly timeMs: number
  readonly severityText: string
  readonly body: string
}

export interface OtlpReceiver {
  /** Base URL, as of `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly endpoint: string
  readonly logs: readonly ReceivedLog[]
  /** Text and headers of each request. */
  readonly requests: readonly { readonly body: string; readonly headers: IncomingHttpHeaders }[]
  /** Status of the answers; 0: none comes. @default 200 */
  status: number
  close(): void
}

/** A receiver of OTLP over HTTP on this machine, which decodes what it takes. */
export async function otlpReceiver(): Promise<OtlpReceiver> {
  const logs: ReceivedLog[] = []
  const requests: { body: string; headers: IncomingHttpHeaders }[] = []
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      requests.push({ body, headers: request.headers })
      if (receiver.status === 0) return
      const isOurs = request.method === 'POST' && request.url === '/v1/logs'
      const decoded = v.safeParse(REQUEST, JSON.parse(body))
      const status = !isOurs ? 404 : decoded.success ? receiver.status : 400
      if (status === 200 && decoded.success) logs.push(...logsOf(decoded.output))
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const receiver: OtlpReceiver = {
    endpoint: `http://127.0.0.1:${portOf(server)}`,
    logs,
    requests,
    status: 200,
    close: () => server.close().closeAllConnections(),
  }
  return receiver
}

function logsOf({ resourceLogs }: v.InferOutput<typeof REQUEST>): ReceivedLog[] {
  return resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) =>
      logRecords.map(({ timeUnixNano, severityText, body, attributes }) => ({
        resource: resource.attributes,
        attributes,
        timeMs: Number(BigInt(timeUnixNano) / 1_000_000n),
        severityText,
        body: body.stringValue,
      })),
    ),
  )
}
