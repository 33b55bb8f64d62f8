/** A destination that answered within this time counts as reachable. */
const LATELY_MS = 150_000

/** One thing that must hold for the agent to be ready. */
export interface Check {
  readonly name: 'node' | 'destination'
  readonly ok: boolean
  /** In words for a person. */
  readonly detail: string
}

/** Ready: this node is prepared, and the destination, where one is used, was reachable lately. */
export class Readiness {
  #node: Check = { name: 'node', ok: false, detail: 'being prepared' }
  #answeredMs: number | undefined
  #failure: Error | undefined
  #refusal: Error | undefined
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

  destinationAnswered(): void {
    this.#answeredMs = performance.now()
    this.#failure = undefined
  }

  uploadStored(): void {
    this.#refusal = undefined
    this.destinationAnswered()
  }

  /** It answers, but takes no bundle: not what a look at the bucket would tell. Until one is stored. */
  uploadRefused(error: Error): void {
    this.#refusal = error
  }

  destinationFailed(error: Error): void {
    this.#failure = error
  }

  checks(): readonly Check[] {
    return this.#usesDestination ? [this.#node, this.#destination()] : [this.#node]
  }

  #destination(): Check {
    const name = 'destination'
    if (this.#refusal) return { name, ok: false, detail: this.#refusal.message }
    const agoMs = this.#answeredMs === undefined ? Infinity : performance.now() - this.#answeredMs
    if (agoMs <= LATELY_MS) return { name, ok: true, detail: 'reachable' }
    return { name, ok: false, detail: this.#failure?.message ?? 'has not answered yet' }
  }
}
