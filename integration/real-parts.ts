import { accessSync, constants } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ensurePackages } from '../scripts/set-up/debian.mjs'

const REASON = await whyNot()

/**
 * A group of tests on real parts: skipped with a message where the machine lacks them, a failure in CI.
 * `reason`: why what only these tests need is missing.
 */
export function realParts(name: string, tests: () => void, reason = REASON): void {
  if (reason === undefined) {
    describe(name, tests)
  } else if (process.env['CI']) {
    test(name, () => expect.fail(`cannot run on this CI machine: ${reason}`))
  } else {
    process.stderr.write(`SKIPPED ${name}: ${reason}\n`)
    describe.skip(name, tests)
  }
}

/** Why crashes cannot be sent through the real kernel here; undefined when they can. */
async function whyNot(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'it needs Linux'
  if (process.getuid?.() !== 0) return 'it needs root'
  try {
    accessSync('/proc/sys/kernel/core_pattern', constants.W_OK)
    await ensurePackages('test')
    return undefined
  } catch (error) {
    return String(error)
  }
}
