import { SeverityNumber } from '@opentelemetry/api'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { LoggerProvider, type LogRecordProcessor } from '@opentelemetry/sdk-logs'
import { agentVersion } from '../version.ts'

export type Attributes = Readonly<Record<string, string | number | boolean>>

/** What is sent of a crash. It has no contents of memory, registers or environment. */
export interface CrashLogRecord {
  /** Whose crash it was: attributes of the resource. */
  readonly resource: Attributes
  readonly timeMs: number
  readonly body: string
  readonly attributes: Attributes
}

/** Sends log records by OTLP over HTTP. */
export interface OtlpSender {
  /** Resolves when the receiver has confirmed it; retried for 10 s, `OTEL_EXPORTER_OTLP_TIMEOUT`. Rejects as the exporter fails. */
  send(record: CrashLogRecord): Promise<void>
  close(): Promise<void>
}

/** Loaded only where an endpoint is set: it takes some MB. The exporter reads further `OTEL_EXPORTER_OTLP_*` variables itself. */
export function openOtlpSender(url: string): OtlpSender {
  const exporter = new OTLPLogExporter({ url })
  return {
    async send({ resource, timeMs, body, attributes }) {
      const sent = Promise.withResolvers<void>()
      const processor: LogRecordProcessor = {
        onEmit: (record) =>
          exporter.export([record], ({ error }) => (error ? sent.reject(error) : sent.resolve())),
        forceFlush: async () => {},
        shutdown: async () => {},
      }
      // each crash has a resource of its own, which belongs to the provider
      new LoggerProvider({ resource: resourceFromAttributes(resource), processors: [processor] })
        .getLogger('core-dump-handler', agentVersion())
        .emit({
          timestamp: timeMs,
          observedTimestamp: Date.now(),
          severityNumber: SeverityNumber.FATAL,
          severityText: 'FATAL',
          body,
          attributes,
        })
      await sent.promise
    },
    close: () => exporter.shutdown(),
  }
}
