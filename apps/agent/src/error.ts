export type AgentErrorCode =
  | 'DEPLOY'
  | 'SELF_TEST'
  | 'CANARY'
  | 'EXECUTABLE_MEMORY'
  | 'REMOVED'
  | 'NODE_CONFIGURATION'

/** What was attempted, on what, why it failed and what to do. */
export class AgentError extends Error {
  override readonly name = 'AgentError'
  readonly code: AgentErrorCode

  constructor(code: AgentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** An error of any kind in words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Such as `ENOENT`; `undefined` where the error has none. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
