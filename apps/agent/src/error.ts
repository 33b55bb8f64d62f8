export type AgentErrorCode = 'DEPLOY' | 'SELF_TEST' | 'CANARY' | 'REMOVED'

/** What was attempted, on what, why it failed and what to do. */
export class AgentError extends Error {
  override readonly name = 'AgentError'
  readonly code: AgentErrorCode

  constructor(code: AgentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
