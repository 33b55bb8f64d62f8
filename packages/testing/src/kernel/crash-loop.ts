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

/**
 * Crash programs while `task` runs, one after another in each of `loops`, and record them and each
 * value of the pattern.
 */
export async function crashingDuring(
  task: () => Promise<void>,
  loops = 1,
): Promise<{ readonly crashes: readonly Crash[]; readonly patterns: readonly Seen[] }> {
  const crashes: Crash[] = []
  const patterns: Seen[] = []
  const look = setInterval(() => {
    const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trimEnd()
    if (patterns.at(-1)?.pattern !== pattern) patterns.push({ pattern, atMs: performance.now() })
  }, 5)
  const over = new AbortController()
  const loop = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const startMs = performance.now()
      const pid = await runUntilCrash(testProgram('crasher'), ['-m', '1'])
      crashes.push({ pid, startMs, endMs: performance.now() })
      await sleep(PAUSE_MS)
    }
  }
  try {
    const done = task().finally(() => over.abort())
    await Promise.all([done, ...Array.from({ length: loops }, loop)])
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
