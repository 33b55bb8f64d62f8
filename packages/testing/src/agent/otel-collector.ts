import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { startProgram, type Program } from '../program.ts'
import { removeScratch, scratchDirectory } from '../scratch-directory.ts'
import { findTool } from '../tools/find-tool.ts'
import { until } from '../until.ts'
import { freePort } from './free-port.ts'

/** A running collector of the OpenTelemetry project. */
export interface OtelCollector {
  /** Base URL, as of `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly endpoint: string
  /** What it has taken, as its debug exporter writes it in detail. */
  output(): string
  stop(): Promise<void>
}

/** The collector with an OTLP receiver on this machine. */
export async function startOtelCollector(): Promise<OtelCollector> {
  const program = await findTool('otel-collector')
  const directory = scratchDirectory()
  const port = await freePort()
  const config = join(directory, 'config.yaml')
  const parts = {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters: { debug: { verbosity: 'detailed' } },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: { logs: { receivers: ['otlp'], exporters: ['debug'] } },
    },
  }
  // JSON is YAML
  writeFileSync(config, JSON.stringify(parts))
  const collector = startProgram(program, ['--config', config], { log: join(directory, 'log') })
  const stop = async (): Promise<void> => {
    await collector.stop()
    removeScratch(directory)
  }
  try {
    await until('the collector listens', () => accepts(port, collector))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    endpoint: `http://127.0.0.1:${port}`,
    output: () => collector.output(),
    stop,
  }
}

async function accepts(port: number, collector: Program): Promise<boolean> {
  if (!collector.running()) throw new Error(`The collector ended:\n${collector.output()}`)
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } finally {
    socket.destroy()
  }
}
