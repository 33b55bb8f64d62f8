import type { BundleManifest } from '@core-dump-handler/bundle'
import { visible } from '../log/redact.ts'
import type { Delivery } from '../monitoring/manifest-cache.ts'

type Attributes = Readonly<Record<string, string | number | boolean>>

/** What is sent of a crash. It has no contents of memory, registers or environment. */
export interface CrashLogRecord {
  /** Whose crash it was: attributes of the resource. */
  readonly resource: Attributes
  readonly timeMs: number
  readonly body: string
  readonly attributes: Attributes
}

const MAX_TEXT = 1024
const MAX_STACK = 32 * 1024
const CRASHING_THREAD = /^Thread \d+, which crashed:$/

/**
 * Names are those of the semantic conventions of OpenTelemetry; `core_dump.*` are ours. The pod and the container are
 * there only where they are proven: a guess must not appear on another pod.
 */
export function crashLogRecord(
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
