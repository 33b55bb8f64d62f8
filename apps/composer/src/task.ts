import type { Arguments } from './arguments/parse.ts'
import type { Log } from './log/log.ts'
import type { Problems } from './log/problems.ts'
import type { ComposerSettings } from './settings/settings.ts'
import type { CoreSource } from './source.ts'
import type { Stop } from './ending/stop.ts'

/** Everything one run has at hand. */
export interface Task {
  readonly args: Arguments
  readonly settings: ComposerSettings
  /** Undefined: called by hand. */
  readonly home: string | undefined
  /** Started by the kernel itself: nobody but the node's own settings has a say. */
  readonly byKernel: boolean
  readonly problems: Problems
  readonly log: Log
  readonly stop: Stop
  readonly source: CoreSource
  readonly onProgress: ((bytes: number) => void) | undefined
}

export interface Outcome {
  readonly exitCode: number
  /** The bundle, where one was made. */
  readonly path?: string
}
