/** A setting that could not be used as it was given; the agent runs all the same. */
export interface SettingProblem {
  readonly variable: string
  /** What it was set to; absent where that may be a secret. */
  readonly got?: string
  /** Why, and what is done instead. */
  readonly message: string
}
