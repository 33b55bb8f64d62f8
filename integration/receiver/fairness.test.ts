import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { crashBarrier, isWaiting } from '@core-dump-handler/testing/kernel/barrier'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { received } from '@core-dump-handler/testing/receiver/received'
import { until } from '@core-dump-handler/testing/until'
import { coreSockets } from './core-sockets.ts'

const MANY = 60
const DEADLINE_MS = 90_000

coreSockets('fairness on the socket', () => {
  test(
    'releases the crash of one program before most of those of another that crashes many times [receiver-6]',
    { timeout: 150_000 },
    async () => {
      let heldYet = 0
      let one = 0
      const receiver = await received(
        {},
        async ({ directory }) => {
          const barrier = crashBarrier(directory)
          const many = Array.from({ length: MANY }, () =>
            spawn(testProgram('crasher'), ['-l', '0', '-m', '20', ...barrier.hostArgs], {
              stdio: 'ignore',
            }),
          )
          const exits = many.map((child) => once(child, 'exit'))
          try {
            await until('all wait', () => many.every(({ pid }) => isWaiting(pid ?? 0)), 30_000)
            barrier.open()
            // the first of them has been released: all others wait or are drained
            await Promise.race(exits)
            // another name: another program of this machine
            const other = spawn(
              testProgram('crasher'),
              ['-l', '0', '-m', '1', '-n', '6f74686572'],
              {
                stdio: 'ignore',
              },
            )
            one = other.pid ?? 0
            await once(other, 'exit')
            heldYet = many.filter(
              ({ exitCode, signalCode }) => (exitCode ?? signalCode) === null,
            ).length
            await Promise.all(exits)
          } finally {
            for (const child of many) child.kill('SIGKILL')
          }
        },
        DEADLINE_MS,
      )
      expect(heldYet).toBeGreaterThan(MANY / 2)
      expect((await receiver.bundleOf(one)).manifest.core.complete).toBe(true)
      const bundles = await receiver.bundles(MANY + 1)
      expect(bundles.every(({ manifest }) => manifest.core.complete)).toBe(true)
    },
  )
})
