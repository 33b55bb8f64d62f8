import { randomFillSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isUploadError, openDestination, type Destination } from '@core-dump-handler/upload'
import type { Random } from '../generate/random.ts'
import { HostileStore } from '../support/hostile-store.ts'
import { assertOneLine, promised } from '../support/promises.ts'
import { KEYS } from '../support/secrets.ts'
import type { Target } from '../support/target.ts'
import { changes, treeOf } from '../support/tree.ts'

const MIB = 1024 * 1024
const PART = 5 * MIB
const NAME = 'web.zip'

export const s3: Target = {
  name: 's3',
  what: 'answers of a store',
  async begin() {
    const store = await HostileStore.start()
    return {
      async round(random, directory) {
        store.reset(random, random.pick([2, 3, 8]))
        const size = random.once(6) ? PART + random.below(MIB) : random.below(5000)
        writeFileSync(join(directory, NAME), randomFillSync(Buffer.alloc(size)))
        const before = treeOf(directory)
        const destination = open(store)
        try {
          await send(random, destination, join(directory, NAME), size, store.reportedSizes)
          await destination.check({ signal: AbortSignal.timeout(500) }).catch(assertFit)
        } finally {
          await destination.close()
        }
        const strange = changes(before, treeOf(directory)).filter(
          (path) => path !== `.${NAME}.upload.json`,
        )
        promised(strange.length === 0, () => `changed here: ${strange.join()}`)
      },
      end: () => store[Symbol.asyncDispose](),
    }
  },
}

function open(store: HostileStore): Destination {
  return openDestination('s3://bucket/prefix', {
    s3: {
      endpoint: store.endpoint,
      region: 'us-east-1',
      credentials: KEYS,
      partBytes: PART,
      maxAttempts: 1,
      idleTimeoutMs: 200,
      connectTimeoutMs: 500,
    },
  })
}

/** Stored is what the store has said it has; all else is an error that says so. */
async function send(
  random: Random,
  destination: Destination,
  file: string,
  size: number,
  reportedSizes: ReadonlySet<number>,
): Promise<void> {
  // after a failure the next attempt resumes
  for (let attempt = random.below(3); attempt >= 0; attempt--) {
    try {
      const stored = await destination.put(file, NAME, { signal: AbortSignal.timeout(3000) })
      promised(
        reportedSizes.has(size),
        () => `stored ${JSON.stringify(stored)}, HEAD reported ${[...reportedSizes].join()}`,
      )
      assertOneLine(JSON.stringify(stored), 'what was stored')
    } catch (error) {
      assertFit(error)
    }
  }
}

/** An error of ours, on one line, that repeats no key. */
function assertFit(error: unknown): void {
  if (!isUploadError(error)) throw error
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    assertOneLine(each.message, 'the message')
    promised(each.message.length < 2000, () => `the message has ${each.message.length} characters`)
    for (const key of Object.values(KEYS)) {
      promised(
        !JSON.stringify([each.message, each]).includes(key),
        () => `a key is in the error: ${each}`,
      )
    }
  }
}
