import type { BundleSummary } from '../bundle/open-bundle.ts'
import { cutText, type OutputStream } from './output.ts'

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const
/** Digits of a uuid and of a fingerprint that distinguish the crashes of one bucket. */
const SHORT_ID = 8
const SHORT_FINGERPRINT = 12
const MAX_FRAME_CHARACTERS = 40
const INTERVAL_MS = 200
/** Of a terminal that does not say. */
const COLUMNS = 80

export function formatBytes(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0
  return `${value.toFixed(digits)} ${UNITS[unit]}`
}

/** Such as `2026-11-30 12:38:26Z`; the text itself where it is no time. */
export function formatTime(time: string): string {
  const at = Date.parse(time)
  if (Number.isNaN(at)) return time
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')}Z`
}

/** Namespace, pod and container, or the node; with `?` when that is not proven. */
export function formatWorkload(summary: BundleSummary): string {
  const { namespace, pod, container, node, identity } = summary
  const parts = [namespace, pod, container].filter((part) => part !== undefined)
  const where = parts.length > 0 ? parts.join('/') : `node ${node ?? 'unknown'}`
  return identity === 'unverified' ? `${where} ?` : where
}

export function formatSignal({ signal, signalName }: BundleSummary): string {
  return signalName ?? (signal === undefined ? '-' : String(signal))
}

export function formatFrame(frame: string | undefined): string {
  return frame === undefined ? '-' : cutText(frame, MAX_FRAME_CHARACTERS)
}

export function shortFingerprint({ fingerprint }: BundleSummary): string {
  return fingerprint?.id.slice(0, SHORT_FINGERPRINT) ?? '-'
}

export function shortId({ id }: BundleSummary): string {
  return /^[0-9a-f]{8}-/.test(id) ? id.slice(0, SHORT_ID) : id
}

/** Whether the core is whole. */
export function formatCore({ complete, coreBytes }: BundleSummary): string {
  if (complete === undefined) return 'unknown'
  if (coreBytes === 0) return 'none'
  return complete ? 'complete' : 'cut'
}

/** One line on a terminal that grows with the bytes; silent elsewhere. */
export class Progress {
  readonly #stream: OutputStream
  readonly #title: string
  readonly #total: number
  #bytes: number
  #shown = 0

  /** `title` is already harmless; `bytes` were there before. */
  constructor(stream: OutputStream, title: string, total: number, bytes = 0) {
    this.#stream = stream
    this.#title = title
    this.#total = total
    this.#bytes = bytes
  }

  add(bytes: number): void {
    this.#bytes += bytes
    if (performance.now() - this.#shown < INTERVAL_MS) return
    this.#shown = performance.now()
    this.#draw()
  }

  end(): void {
    if (this.#shown === 0) return
    this.#draw()
    if (this.#stream.isTTY === true) this.#stream.write('\n')
  }

  #draw(): void {
    if (this.#stream.isTTY !== true) return
    // what was begun again was counted twice
    const bytes = Math.min(this.#bytes, this.#total)
    const percent = this.#total === 0 ? 100 : Math.floor((bytes / this.#total) * 100)
    const amount = `  ${formatBytes(bytes)} of ${formatBytes(this.#total)}  ${percent} %`
    // a line that wraps would stay on the terminal
    const width = Math.max(0, (this.#stream.columns || COLUMNS) - amount.length - 1)
    this.#stream.write(`\r\u001b[K${cutText(this.#title, width)}${amount}`)
  }
}
