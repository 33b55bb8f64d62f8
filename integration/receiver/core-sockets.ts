import { whyNoSockets } from '@core-dump-handler/testing/kernel/core-sockets'
import { realParts } from '../real-parts.ts'

/** A group of tests that send crashes through a socket, for kernels that can. */
export function coreSockets(name: string, tests: () => void): void {
  realParts(name, tests, whyNoSockets())
}
