import { describe } from 'vitest'
import { whyNoSockets } from '@core-dump-handler/testing/kernel/core-sockets'
import { realParts } from '../real-parts.ts'

/** A group of tests that send crashes through a socket: skipped loudly where this kernel cannot. */
export function coreSockets(name: string, tests: () => void): void {
  const reason = whyNoSockets()
  if (reason === undefined) return realParts(name, tests)
  process.stderr.write(`SKIPPED ${name}: ${reason}\n`)
  describe.skip(name, tests)
}
