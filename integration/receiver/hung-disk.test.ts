import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { setCoreSysctl } from '@core-dump-handler/testing/kernel/kernel'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { received } from '@core-dump-handler/testing/receiver/received'
import { coreSockets } from './core-sockets.ts'

const DISK_BYTES = 64 * 2 ** 20
const DEADLINE_MS = 60_000
const THAW_SECONDS = 40

coreSockets('a receiver whose disk hangs', () => {
  test(
    'ends itself, and holds no process any longer [receiver-4]',
    { timeout: 120_000 },
    async () => {
      const receiver = await received(
        {},
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
            const died = Array.from({ length: 5 }, () =>
              once(
                spawn(testProgram('crasher'), ['-l', '0', '-m', '1'], { stdio: 'ignore' }),
                'exit',
              ),
            )
            expect(await Promise.all(died)).toHaveLength(5)
            setCoreSysctl('kernel.core_pattern', 'core')
          } finally {
            execFileSync('fsfreeze', ['-u', one.coreDir])
          }
          // a thread that waits for a disk ends only now
          expect(await one.daemon.ended).toBe('SIGKILL')
          execFileSync('umount', ['-l', one.coreDir])
        },
        DEADLINE_MS,
      )
      expect(receiver.output).toMatch(/did not run for 10000 ms: it is ended/)
    },
  )
})
