import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openLog } from '../log/open-log.ts'
import { countDrops, watchDrops } from './watch-drops.ts'

// a program that may write the kernel's log can write the kernel's own words
const isRoot = process.getuid?.() === 0
const say = (text: string): void => writeFileSync('/dev/kmsg', `<4>${text}\n`)

test.runIf(isRoot)(
  'cores that the kernel dropped are counted from its log, by reason [node-9, attack-8]',
  async () => {
    const hostDir = `/nowhere/${randomUUID()}`
    const reasons: string[] = []
    const readable: boolean[] = []
    const controller = new AbortController()
    const log = await openLog({ level: 'silent', secrets: [] })
    const watching = watchDrops(
      hostDir,
      log,
      controller.signal,
      (reason) => reasons.push(reason),
      (isReadable) => readable.push(isReadable),
    )
    say(`coredump: 1(a b): |${hostDir}/cdc pipe failed`)
    say('coredump: 1(x): |/elsewhere/cdc pipe failed')
    say('coredump: 1(a): over core_pipe_limit, skipping core dump')
    await expect.poll(() => reasons.length, { timeout: 15_000 }).toBeGreaterThanOrEqual(2)
    controller.abort()
    await watching
    expect(readable).toEqual([true])
    expect(reasons.filter((reason) => reason === 'PIPE_FAILED')).toHaveLength(1)
    expect(reasons).toContain('CORE_PIPE_LIMIT')
    expect(countDrops(hostDir).PIPE_FAILED).toBe(1)
  },
)
