/** One line of the fault matrix: what fails, what is promised, and the tests that hold us to it. */
export interface FaultRow {
  /** Of the list of ancestral bugs (`B1`), or of this list (`composer-3`). */
  readonly id: string
  readonly fails: string
  readonly when: string
  readonly promised: string
  /** What the tests assert. */
  readonly asserted: string
  /** `<file> › <name of the test as it is written there>`. */
  readonly tests: readonly string[]
}

export interface FaultSection {
  readonly title: string
  readonly rows: readonly FaultRow[]
}

type Line = readonly [
  fails: string,
  when: string,
  promised: string,
  asserted: string,
  ...tests: string[],
]

/** Rows with ids of their own: `<prefix>-1`, `<prefix>-2` … */
export function numbered(title: string, prefix: string, lines: readonly Line[]): FaultSection {
  return named(
    title,
    Object.fromEntries(lines.map((line, index) => [`${prefix}-${index + 1}`, line])),
  )
}

export function named(title: string, lines: Readonly<Record<string, Line>>): FaultSection {
  const rows = Object.entries(lines).map(([id, [fails, when, promised, asserted, ...tests]]) => ({
    id,
    fails,
    when,
    promised,
    asserted,
    tests,
  }))
  return { title, rows }
}
