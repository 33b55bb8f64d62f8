import { type BundleManifest, readReportText } from '@core-dump-handler/bundle'
import type { QueueEvent } from '@core-dump-handler/upload'
import type { Log } from '../log/open-log.ts'
import { visible } from '../log/redact.ts'
import type { Delivery } from '../monitoring/queue-observer.ts'
import type { Attributes, CrashLogRecord, OtlpSender } from './otlp-sender.ts'

/** In a storm the bundles matter: more waiting records are not sent. */
const MAX_WAITING = 100

interface CrashTelemetryOptions {
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

const MAX_TEXT = 1024
const MAX_STACK = 32 * 1024
const CRASHING_THREAD = /^Thread \d+, which crashed:$/

/**
 * Names are those of the semantic conventions of OpenTelemetry; `core_dump.*` are ours. The pod and the container are
 * there only where they are proven: a guess must not appear on another pod.
 */
function crashLogRecord(
  { manifest, stored }: Delivery,
  reportText: string | undefined,
  nodeName: string | undefined,
): CrashLogRecord {
  const { crash, core, uuid, fingerprint, topFrame } = manifest
  const signal =
    crash.signalName ?? (crash.signal === undefined ? undefined : `signal ${crash.signal}`)
  const program = crash.exe ?? crash.comm ?? 'A process'
  const body = `${program} crashed${signal === undefined ? '' : ` by ${signal}`}${topFrame === undefined ? '' : ` in ${topFrame}`}`
  const { message, stack } = partsOf(reportText)
  return {
    resource: resourceOf(manifest, nodeName),
    timeMs: Date.parse(crash.time) || Date.now(),
    body: printable(body),
    attributes: present({
      'exception.type': signal ?? 'crash',
      'exception.message': message ?? body,
      'exception.stacktrace': stack,
      'process.pid': crash.hostPid,
      'process.executable.path': crash.exe,
      'core_dump.uuid': uuid,
      'core_dump.object.key': stored.key,
      'core_dump.object.url': stored.url,
      'core_dump.bytes': core.bytes,
      'core_dump.complete': core.complete,
      'core_dump.reason': core.reasonCode,
      'core_dump.top_frame': topFrame,
      'core_dump.fingerprint.id': fingerprint?.id,
      'core_dump.fingerprint.family': fingerprint?.family,
      'core_dump.identity': manifest.identity.status,
    }),
  }
}

function resourceOf({ crash, identity, node }: BundleManifest, nodeName?: string): Attributes {
  const ofNode = { 'host.name': node.hostname, 'k8s.node.name': nodeName }
  const program = crash.exe?.slice(crash.exe.lastIndexOf('/') + 1) ?? crash.comm
  if (identity.status !== 'verified') return present({ 'service.name': program, ...ofNode })
  return present({
    'service.name': identity.container ?? program,
    'service.namespace': identity.namespace,
    ...ofNode,
    'k8s.namespace.name': identity.namespace,
    'k8s.pod.name': identity.pod,
    'k8s.pod.uid': identity.podUid,
    'k8s.container.name': identity.container,
    'k8s.container.restart_count': identity.restartCount,
    'container.id': identity.containerId,
    'container.image.name': identity.image,
    'container.image.id': identity.imageRef,
  })
}

/** First line, and the frames of the thread that crashed, of `-report.txt`. */
function partsOf(text = ''): { readonly message?: string; readonly stack?: string } {
  const lines = text.split('\n')
  const [message] = lines
  const start = lines.findIndex((line) => CRASHING_THREAD.test(line)) + 1
  const end = lines.indexOf('', start)
  const stack = start === 0 ? '' : lines.slice(start, end < 0 ? undefined : end).join('\n')
  return { ...(message && { message }), ...(stack && { stack: stack.slice(0, MAX_STACK) }) }
}

function present(all: Record<string, string | number | boolean | undefined>): Attributes {
  const known: Record<string, string | number | boolean> = {}
  for (const [name, value] of Object.entries(all)) {
    if (value === undefined) continue
    const isText = typeof value === 'string' && name !== 'exception.stacktrace'
    known[name] = isText ? printable(value) : value
  }
  return known
}

/** A crashed process chose much of it. */
const printable = (text: string): string => visible(text.slice(0, MAX_TEXT)).toWellFormed()
