import { readFileSync } from 'node:fs'
import { describe } from 'vitest'
import { whyNoKernel } from '@core-dump-handler/testing/kernel/kernel'
import { realParts } from '../real-parts.ts'

/** A group of tests that send crashes through a socket: skipped loudly where this kernel cannot. */
export function coreSockets(name: string, tests: () => void): void {
  const reason = whyNoSockets()
  if (reason === undefined) return realParts(name, tests)
  process.stderr.write(`SKIPPED ${name}: ${reason}\n`)
  describe.skip(name, tests)
}

/** Why the kernel does not connect to a socket of ours; undefined when it does. */
export function whyNoSockets(): string | undefined {
  let modes = ''
  try {
    modes = readFileSync('/proc/sys/kernel/core_modes', 'utf8')
  } catch {
    return 'this kernel has no /proc/sys/kernel/core_modes: coredump sockets came with Linux 6.17'
  }
  return modes.split('\n').includes('socket')
    ? whyNoKernel()
    : `this kernel has no coredump sockets, only ${modes.trim().split('\n').join(', ')}`
}
