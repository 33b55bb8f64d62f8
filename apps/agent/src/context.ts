import type { Log } from './log/open-log.ts'
import type { AgentSettings } from './settings/read-settings.ts'

/** What every command is given. */
export interface CommandContext {
  readonly settings: AgentSettings
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly log: Log
  /** Aborted by SIGTERM and SIGINT. */
  readonly signal: AbortSignal
}

/** Resolves with the exit code. */
export type Command = (context: CommandContext) => Promise<number>
