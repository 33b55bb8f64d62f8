import { existsSync } from 'node:fs'

/** A destination that answered within this time counts as reachable. */
const RECENT_MS = 150_000

/** One condition of readiness. */
export interface Check {
  readonly name: 'node' | 'receiver' | 'destination'
  readonly ok: boolean
  /** In words for a person. */
  readonly detail: string
}

/** Ready: this node is prepared, and the destination, where one is used, has answered recently. */
export class Readiness {
  #node: Check = { name: 'node', ok: false, detail: 'being prepared' }
  #receiver: Check | undefined
  #answeredMs: number | undefined
  #failure: string | undefined
  #refusal: { readonly file: string; readonly reason: string } | undefined
  readonly #usesDestination: boolean

  constructor({ usesDestination }: { readonly usesDestination: boolean }) {
    this.#usesDestination = usesDestination
  }

  nodePrepared(): void {
    this.#node = { name: 'node', ok: true, detail: 'crashes become bundles' }
  }

  nodeUnprepared(detail: string): void {
    this.#node = { name: 'node', ok: false, detail }
  }

  /** Which way crashes come; not ready where the receiver is required and not in use. */
  receiverIs(ok: boolean, detail: string): void {
    this.#receiver = { name: 'receiver', ok, detail }
  }

  destinationAnswered(): void {
    this.#answeredMs = performance.now()
    this.#failure = undefined
  }

  uploadStored(): void {
    this.#refusal = undefined
    this.destinationAnswered()
  }

  /** The store answers, but refused this bundle; holds until one is stored or the bundle is deleted. */
  uploadRefused(file: string, reason: string): void {
    this.#refusal = { file, reason }
  }

  destinationFailed(reason: string): void {
    this.#failure = reason
  }

  checks(): readonly Check[] {
    const receiver = this.#receiver === undefined ? [] : [this.#receiver]
    const destination = this.#usesDestination ? [this.#destination()] : []
    return [this.#node, ...receiver, ...destination]
  }

  #destination(): Check {
    const name = 'destination'
    if (this.#refusal && !existsSync(this.#refusal.file)) this.#refusal = undefined
    if (this.#refusal) return { name, ok: false, detail: this.#refusal.reason }
    const agoMs = this.#answeredMs === undefined ? Infinity : performance.now() - this.#answeredMs
    if (agoMs <= RECENT_MS) return { name, ok: true, detail: 'reachable' }
    return { name, ok: false, detail: this.#failure ?? 'has not answered yet' }
  }
}
