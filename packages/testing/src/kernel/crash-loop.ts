import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { runUntilCrash } from './test-program.ts'
import { testProgram } from './test-program.ts'

const PAUSE_MS = 30

export interface Crash {
  readonly pid: number
  readonly startMs: number
  readonly endMs: number
}

/** A value of the core pattern, and when it was first seen. */
export interface Seen {
  readonly pattern: string
  readonly atMs: number
}

/** Crash programs one after another while `task` runs, and record them and each value of the pattern. */
export async function crashingDuring(
  task: () => Promise<void>,
): Promise<{ readonly crashes: readonly Crash[]; readonly patterns: readonly Seen[] }> {
  const crashes: Crash[] = []
  const patterns: Seen[] = []
  const look = setInterval(() => {
    const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trimEnd()
    if (patterns.at(-1)?.pattern !== pattern) patterns.push({ pattern, atMs: performance.now() })
  }, 5)
  const over = new AbortController()
  const done = task().finally(() => over.abort())
  try {
    while (!over.signal.aborted) {
      const startMs = performance.now()
      const pid = await runUntilCrash(testProgram('crasher'), ['-m', '1'])
      crashes.push({ pid, startMs, endMs: performance.now() })
      await sleep(PAUSE_MS)
    }
    await done
  } finally {
    clearInterval(look)
  }
  return { crashes, patterns }
}

/** From the first pattern without a composer to the first that `isOurs` again. */
export function gapIn(
  patterns: readonly Seen[],
  isOurs: (pattern: string) => boolean,
): { readonly startMs: number; readonly endMs: number } {
  const start = patterns.findIndex(({ pattern }) => !/\/cdc /.test(pattern))
  const end = patterns.findIndex(({ pattern }, index) => index > start && isOurs(pattern))
  const [from, to] = [patterns[start], patterns[end]]
  if (!from || !to) throw new Error(`no gap in ${JSON.stringify(patterns)}`)
  return { startMs: from.atMs, endMs: to.atMs }
}
