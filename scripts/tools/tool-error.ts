/** A test tool could not be had; the message says which, why, and what to do. */
export class ToolError extends Error {
  override readonly name = 'ToolError'
  readonly tool: string

  constructor(tool: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.tool = tool
  }
}

/** Unlike `instanceof`, holds when vitest loads the module twice. */
export function isToolError(error: unknown): error is ToolError {
  return error instanceof Error && error.name === 'ToolError'
}
