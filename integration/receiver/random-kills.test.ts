import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BundleManifest, readManifest } from '@core-dump-handler/bundle'
import { s3Settings } from '@core-dump-handler/testing/agent/agent'
import { runUntilCrash, testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { Random } from '@core-dump-handler/testing/random'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'
import { until } from '@core-dump-handler/testing/until'
import { expect, onTestFinished, test } from 'vitest'
import { coreSockets } from './core-sockets.ts'
import { pidIn, withPair } from './pair.ts'

const SEED = Number(process.env['KILLS_SEED'] ?? 20_261_201)
const KILLS = 5
const LOOPS = 2
/** Five parts of an upload, of which three are sent while the core is read. */
const CORE_MIB = 40
const PAUSE_MS = 50
const MIN_UPTIME_MS = 700
const MAX_UPTIME_MS = 1700

coreSockets('a receiver that sends cores to the store and is killed at random', () => {
  test(
    'leaves of each crash a whole object, a salvaged bundle or a record, and no upload [receiver-31]',
    { timeout: 180_000 },
    async () => {
      const store = await startVersitygw()
      onTestFinished(() => store.stop())
      const account = s3Settings(store)
      const settings = {
        agent: { ...account, USE_INOTIFY: 'true' },
        receiver: { ...account, STRAIGHT_TO_STORE: 'always' },
      }
      const random = new Random(SEED)
      const crashed: number[] = []
      const outcomes = { whole: 0, bySocket: 0, partial: 0, recorded: 0 }
      const lost: number[] = []
      await withPair(async (pair) => {
        const over = new AbortController()
        const loops = Array.from({ length: LOOPS }, async () => {
          while (!over.signal.aborted) {
            const args = ['-l', '0', '-m', String(CORE_MIB)]
            crashed.push(await runUntilCrash(testProgram('crasher'), args))
            await sleep(PAUSE_MS)
          }
        })
        for (let kill = 0; kill < KILLS; kill++) {
          await sleep(MIN_UPTIME_MS + random.below(MAX_UPTIME_MS - MIN_UPTIME_MS))
          pair.receiver.kill()
          await pair.receiver.daemon.ended
          await pair.receiver.start()
          await pair.usesSocket()
        }
        over.abort()
        await Promise.all(loops)
        // the next one looks for unfinished files at once
        process.kill(pair.agent.daemon.pid, 'SIGKILL')
        await pair.agent.daemon.ended
        await pair.agent.start()
        const isStored = (pid: number): boolean =>
          !readdirSync(pair.agent.coreDir).some((name) => pidIn(name) === pid)
        await until('all is in the store', () => crashed.every(isStored), 60_000).catch((cause) => {
          throw new Error(readdirSync(pair.agent.coreDir).join('\n'), { cause })
        })
        expect(await store.uploads()).toEqual([])
        const found = new Map<number, BundleManifest>()
        for (const key of await store.keys()) {
          const path = join(store.folder, key)
          execFileSync('unzip', ['-tq', path])
          const manifest = await readManifest(path)
          if (manifest === undefined) throw new Error(`${key} has no manifest`)
          found.set(manifest.crash.hostPid ?? pidIn(key), manifest)
        }
        for (const pid of crashed) {
          const manifest = found.get(pid)
          if (manifest?.core.complete === true) {
            outcomes.whole++
            if (manifest.entry === 'socket') outcomes.bySocket++
          } else if (manifest !== undefined) {
            expect(manifest.core.reasonCode).toBeDefined()
            outcomes.partial++
          } else if (pair.recordedPids.has(pid)) outcomes.recorded++
          else lost.push(pid)
        }
      }, settings)
      process.stderr.write(
        `killed ${KILLS} times: ${crashed.length} crashes, ${JSON.stringify(outcomes)}\n`,
      )
      expect(lost).toEqual([])
      expect(outcomes.bySocket).toBeGreaterThan(0)
      expect(outcomes.partial + outcomes.recorded).toBeGreaterThan(0)
    },
  )
})
