import { readFileSync } from 'node:fs'
import { whyNoKernel } from './kernel.ts'

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
