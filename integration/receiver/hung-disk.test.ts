import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runUntilCrash, testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { received } from '@core-dump-handler/testing/receiver/received'
import { until } from '@core-dump-handler/testing/until'
import { coreSockets } from './core-sockets.ts'

const DISK_BYTES = 64 * 2 ** 20
const DEADLINE_MS = 60_000
const THAW_SECONDS = 40
/** More than libuv has threads by default. */
const CRASHES = 8

const failures = (log: string): number => log.split('the disk does not answer').length - 1

coreSockets('a receiver whose disk hangs', () => {
  test(
    'releases processes at the time limit, and stores the next crash [receiver-4]',
    { timeout: 120_000 },
    async () => {
      const receiver = await received(
        { TIMEOUT: '3' },
        async (one) => {
          const image = join(one.directory, 'disk.img')
          writeFileSync(image, '')
          truncateSync(image, DISK_BYTES)
          execFileSync('mkfs.ext4', ['-q', image])
          mkdirSync(one.coreDir, { recursive: true })
          execFileSync('mount', ['-o', 'loop', image, one.coreDir])
          // every write waits from now on; also a test that was killed leaves no such disk behind
          const thaw = `sleep ${THAW_SECONDS}; fsfreeze -u ${one.coreDir}`
          spawn('sh', ['-c', thaw], { detached: true, stdio: 'ignore' }).unref()
          execFileSync('fsfreeze', ['-f', one.coreDir])
          try {
            const died = Array.from({ length: CRASHES }, () =>
              once(
                spawn(testProgram('crasher'), ['-l', '0', '-m', '1'], { stdio: 'ignore' }),
                'exit',
              ),
            )
            expect(await Promise.all(died)).toHaveLength(CRASHES)
            await until('all failures are logged', () => failures(one.output) === CRASHES, 15_000)
          } finally {
            execFileSync('fsfreeze', ['-u', one.coreDir])
          }
          const pid = await runUntilCrash(testProgram('crasher'), ['-l', '0'])
          expect((await one.bundleOf(pid)).manifest.core.complete).toBe(true)
          await one.daemon.stop()
          execFileSync('umount', ['-l', one.coreDir])
        },
        DEADLINE_MS,
      )
      expect(receiver.output).not.toMatch(/it is ended/)
    },
  )
})
