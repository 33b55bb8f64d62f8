import { readReportText } from '@core-dump-handler/bundle'
import type { QueueEvent } from '@core-dump-handler/upload'
import type { Log } from '../log/open-log.ts'
import type { Delivery } from '../monitoring/manifest-cache.ts'
import { crashLogRecord, type CrashLogRecord } from './crash-log-record.ts'
import type { OtlpSender } from './otlp-sender.ts'

/** In a storm the bundles matter: more waiting records are not sent. */
const MAX_WAITING = 100

export interface CrashTelemetryOptions {
  /** Of the receiver, with its path, such as `http://collector:4318/v1/logs`. */
  readonly url: string
  readonly nodeName: string | undefined
  readonly log: Log
  readonly signal: AbortSignal
}

/**
 * Sends an OpenTelemetry log record for each bundle that is stored, one at a time. What fails is logged once,
 * until one is sent again; it costs only the record, and no upload waits for it.
 */
export class CrashTelemetry {
  readonly #options: CrashTelemetryOptions
  /** Of bundles that are being uploaded: they are deleted when they are stored. */
  readonly #reports = new Map<string, Promise<string | undefined>>()
  #sender: Promise<OtlpSender> | undefined
  #chain: Promise<void> = Promise.resolve()
  #waiting = 0
  #isFailing = false

  constructor(options: CrashTelemetryOptions) {
    this.#options = options
    options.signal.addEventListener(
      'abort',
      () => void this.#sender?.then((sender) => sender.close()).catch(() => undefined),
      { once: true },
    )
  }

  /** Call it with each event of the queue, while the file exists. */
  note(event: QueueEvent): void {
    if (event.type === 'started') this.#reports.set(event.file, readReportText(event.file))
    else if (event.type === 'failed' || event.type === 'skipped') this.#reports.delete(event.file)
  }

  delivered(delivery: Delivery, file: string): void {
    const report = this.#reports.get(file)
    this.#reports.delete(file)
    const { nodeName, signal } = this.#options
    if (signal.aborted) return
    if (this.#waiting >= MAX_WAITING) return this.#fail(`${MAX_WAITING} records wait already`)
    this.#waiting++
    this.#chain = this.#chain
      .then(async () => this.#send(crashLogRecord(delivery, await report, nodeName)))
      .finally(() => this.#waiting--)
  }

  async #send(record: CrashLogRecord): Promise<void> {
    try {
      this.#sender ??= this.#open()
      await (await this.#sender).send(record)
      if (this.#isFailing) this.#options.log.info('crashes are sent by OTLP again')
      this.#isFailing = false
    } catch (err) {
      this.#fail(err)
    }
  }

  async #open(): Promise<OtlpSender> {
    const { openOtlpSender } = await import('./otlp-sender.ts')
    return openOtlpSender(this.#options.url)
  }

  #fail(err: unknown): void {
    if (this.#isFailing || this.#options.signal.aborted) return
    this.#isFailing = true
    const { url, log } = this.#options
    log.warn({ url, err }, 'cannot send a crash by OTLP; uploads go on, and this is logged once')
  }
}
