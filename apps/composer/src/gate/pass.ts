/** A way through the gate, by being its keeper or by asking it. */
export interface Pass {
  /** No other composer is about, as far as this one knows. */
  readonly isAlone: boolean
  /** Resolves when this composer may go on; false: the gate is gone, ask again. */
  turn(): Promise<boolean>
  /** The process is released, and a second turn is wanted. */
  drained(): void
  /** This composer is done; resolves when nobody depends on it any more. */
  leave(signal: AbortSignal): Promise<void>
}

/** To go on alone: there is no gate. */
export const FREE: Pass = {
  isAlone: true,
  turn: () => Promise.resolve(true),
  drained() {},
  leave: () => Promise.resolve(),
}
