/** Why a capture has to end before it is done. */
export interface StopCause {
  readonly code: 'TIMEOUT' | 'INTERRUPTED' | 'FAULT'
  readonly message: string
}

/** Ends a capture early: the bundle is completed with what there is. */
export interface StopSignal {
  readonly signal: AbortSignal
  /** Set once `signal` is aborted. */
  readonly cause: StopCause | undefined
}
