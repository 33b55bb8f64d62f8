import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDestination, UploadQueue, type QueueEvent } from '@core-dump-handler/upload'
import type { Random } from '../generate/random.ts'
import { crowd, OTHER } from '../support/crowded-directory.ts'
import { HostileStore } from '../support/hostile-store.ts'
import { assertOneLine, promised } from '../support/promises.ts'
import { KEYS } from '../support/secrets.ts'
import type { Target } from '../support/target.ts'
import { changes, treeOf } from '../support/tree.ts'

const RUN_MS = 300
const RECORD = /^cores\/\..*\.upload\.json$/s

export const coreDir: Target = {
  name: 'core-dir',
  what: 'names, links, sockets and left-overs in CORE_DIR, and what is kept of uploads there',
  async begin() {
    const store = await HostileStore.start()
    return {
      async round(random, root) {
        // answers truly: here the directory is hostile
        store.reset(random, 2 ** 31)
        const cores = join(root, 'cores')
        const outside = join(root, 'outside')
        const target = join(root, 'target')
        for (const path of [cores, outside, target]) mkdirSync(path)
        for (const name of ['precious', 'y.zip', '.y.zip.upload.json']) {
          writeFileSync(join(outside, name), 'kept')
        }
        writeFileSync(join(outside, 'other'), OTHER)
        const bundles = crowd(random, cores, outside, store.endpoint)
        const before = treeOf(root)

        const toStore = random.once(2)
        const url = toStore ? 's3://bucket/prefix' : `file:${target}`
        await upload(random, cores, url, store.endpoint)

        const contents = new Set(
          readdirSync(target).map((name) => readFileSync(join(target, name), 'utf8')),
        )
        const allowed = new Set<string>()
        const left = treeOf(root)
        for (const [name, content] of bundles) {
          allowed.add(`cores/${name}`)
          if (toStore || left.has(`cores/${name}`)) continue
          promised(contents.has(content), () => `lost: ${JSON.stringify(name)}`)
        }
        const strange = changes(before, left).filter(
          (path) => !allowed.has(path) && !RECORD.test(path) && !/^target\/[^/]+$/s.test(path),
        )
        promised(strange.length === 0, () => `touched: ${JSON.stringify(strange)}`)
        for (const name of readdirSync(target)) assertOneLine(name, 'a name in the destination')
      },
      end: () => store[Symbol.asyncDispose](),
    }
  },
}

/** One sweep, or the queue for a moment. */
async function upload(random: Random, cores: string, url: string, endpoint: string): Promise<void> {
  const destination = openDestination(url, {
    s3: { endpoint, region: 'us-east-1', credentials: KEYS, maxAttempts: 1, idleTimeoutMs: 300 },
  })
  const events: QueueEvent[] = []
  const queue = new UploadQueue(cores, destination, {
    lock: random.once(8) ? 'auto' : 'off',
    minDelayMs: 20,
    onEvent: (event) => events.push(event),
  })
  try {
    if (random.once(2)) await queue.sweep()
    else await runBriefly(queue)
  } finally {
    await destination.close()
  }
  for (const event of events) {
    if (event.type === 'failed') assertOneLine(event.error.message, 'a failure')
    if (event.type === 'warning') assertOneLine(event.message, 'a warning')
    if (event.type === 'stored') assertOneLine(event.stored.url, 'the place of a bundle')
  }
}

async function runBriefly(queue: UploadQueue): Promise<void> {
  const stop = new AbortController()
  const running = queue.run({ signal: stop.signal })
  await sleep(RUN_MS)
  stop.abort()
  await running
}
