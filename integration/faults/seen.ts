import { readFileSync } from 'node:fs'

/** What a run showed of one test, all its cases together. */
export interface Seen {
  readonly on: string
  readonly passed: number
  readonly failed: number
  readonly ms: number
}

/** By `<file> › <name>`, as rows name their tests. */
export type SeenTests = Readonly<Record<string, Seen>>

export const SEEN_FILE: URL = new URL('seen.json', import.meta.url)

export function seenTests(): SeenTests {
  return JSON.parse(readFileSync(SEEN_FILE, 'utf8')) as SeenTests
}

/** Of the last run in which each of the tests ran; undefined where one never did. */
export function describeSeen(tests: readonly string[], seen: SeenTests): string | undefined {
  const runs = tests.map((test) => seen[test])
  if (runs.some((run) => run === undefined)) return undefined
  const sum = (of: (run: Seen) => number): number =>
    runs.reduce((total, run) => total + (run === undefined ? 0 : of(run)), 0)
  const failed = sum((run) => run.failed)
  const seconds = (sum(({ ms }) => ms) / 1000).toFixed(1)
  const since = runs.map((run) => run?.on ?? '').toSorted()[0]
  return `${sum(({ passed }) => passed)} passed${failed > 0 ? `, ${failed} FAILED` : ''} in ${seconds} s, ${since}`
}
