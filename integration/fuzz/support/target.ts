import type { Random } from '../generate/random.ts'

/** A part of the product that gets hostile input. */
export interface Target {
  /** As `--target` takes it. */
  readonly name: string
  /** The part and its input. */
  readonly what: string
  /** Needs the whole machine: runs only when it is named, and in no test. */
  readonly onRequest?: boolean
  /** Time limit of a round. @default 30000 */
  readonly roundMs?: number
  /** Prepare in `directory`, which exists until the end of the run. */
  begin(directory: string): Promise<Fuzzing> | Fuzzing
}

export interface Fuzzing {
  /** One hostile input; throws when a promise is broken. `directory` is this round's own. */
  round(random: Random, directory: string): Promise<void>
  /** The results of all rounds as text. */
  summary?(): string
  end?(): Promise<void>
}
