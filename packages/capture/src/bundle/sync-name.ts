import { close, fsync, open } from 'node:fs'
import { promisify } from 'node:util'
import { blockingCalls } from '@core-dump-handler/cri'

// not node:fs/promises: it is loaded later
const openDirectory = promisify(open)
const syncToDisk = promisify(fsync)
const closeDirectory = promisify(close)

// by then the lookup has opened what it needs; small cores are released long before
const DELAY_MS = 1000
const LIMIT_MS = 5000

/**
 * Makes the names in `directory` durable when `released` settles, or after a second of draining, so
 * that of a crash that a power-off cuts there is a file at least, which becomes a record. Not awaited
 * and not done before: fsync(2) can take seconds, and the drain needs the threads of the pool.
 */
export function syncNameLater(directory: string, released: Promise<unknown>): void {
  let synced = false
  const sync = async (): Promise<void> => {
    await syncDirectory(directory)
    synced = true
  }
  // a disk that cannot do it fails in `publish`, which reports it
  const timer = setTimeout(() => {
    blockingCalls.run(directory, sync, { limitMs: LIMIT_MS }).catch(() => {})
  }, DELAY_MS)
  const onRelease = (): void => {
    clearTimeout(timer)
    if (!synced) sync().catch(() => {})
  }
  released.then(onRelease, onRelease)
}

async function syncDirectory(directory: string): Promise<void> {
  const fd = await openDirectory(directory, 'r')
  try {
    await syncToDisk(fd)
  } finally {
    await closeDirectory(fd)
  }
}
