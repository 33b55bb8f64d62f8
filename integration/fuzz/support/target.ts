import type { Random } from '../generate/random.ts'

/** One thing that is fed with hostile input. */
export interface Target {
  /** As `--target` takes it. */
  readonly name: string
  /** What is fed with what. */
  readonly what: string
  /** Takes the whole machine: fed when it is named, and by no test. */
  readonly onRequest?: boolean
  /** What takes longer hangs. @default 30000 */
  readonly roundMs?: number
  /** Make ready in `directory`, which lasts as long as the run. */
  begin(directory: string): Promise<Fuzzing> | Fuzzing
}

export interface Fuzzing {
  /** One hostile input; throws when a promise is broken. `directory` is this round's own. */
  round(random: Random, directory: string): Promise<void>
  /** What came of all rounds, for people. */
  summary?(): string
  end?(): Promise<void>
}
