/** Where and how one tool is made; the argument of {@link Tool.make}. */
export interface Workshop {
  /** Empty folder for the finished files; renamed into the cache when `make` returns. */
  readonly folder: string
  /** Folder that later builds may use again: Go tool chain, module clones, logs. */
  readonly cache: string
  /** One line for the user who waits. */
  readonly say: (line: string) => void
}

/** One tool, or one group of programs that belong together. */
export interface Tool {
  /** Exactly what the tests were written against. */
  readonly version: string
  /** The programs it brings, with the SHA-256 of the ready-built x64 file where one is known. */
  readonly files: Readonly<Record<string, string | undefined>>
  /** What the caller gets, in the tool's folder. @default the tool's name */
  readonly main?: string
  /** How to ask a program on PATH for its version. */
  readonly probe?: {
    readonly command: string
    readonly args: readonly string[]
    readonly expect: RegExp
  }
  /** Ready-built archive, where it is not one `<file>.xz` per file. */
  readonly archive?: string
  /** Other names for a program of this tool, as links beside it. */
  readonly links?: Readonly<Record<string, string>>
  /** How `make` gets it and how long that takes on two idle cores, for the first run's announcement. */
  readonly cost: string
  readonly make: (shop: Workshop) => Promise<void>
}

/** A test tool cannot be made; the message names it, the reason and the remedy. */
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
