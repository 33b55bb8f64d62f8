import { close, fsync, open } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { bundleFileName } from '@core-dump-handler/bundle'
import {
  blockingCalls,
  type JsonObject,
  type JsonValue,
  type LookupResult,
} from '@core-dump-handler/cri'
import type { CaptureContext } from '../context.ts'
import type { CoreSource } from '../core-source.ts'
import type { Crash } from '../crash.ts'
import { makeDirectory } from '../system/make-directory.ts'
import { errorMessage } from '../text.ts'
import type { Bundle } from './open-bundle.ts'

const LABEL_PREFIX = 'info.coredump'

// not node:fs/promises: it is loaded later
const openDirectory = promisify(open)
const syncToDisk = promisify(fsync)
const closeDirectory = promisify(close)

// by then the lookup has opened what it needs; small cores are released long before
const SYNC_DELAY_MS = 1000
const SYNC_LIMIT_MS = 5000

/** Puts the bundle on the disk under its final name, then writes the event; resolves with its path. */
export async function publish(
  { zip, part, store, uuid, name }: Bundle,
  crash: Crash,
  found: LookupResult,
  source: CoreSource,
  { settings, home, log, onPublished }: CaptureContext,
): Promise<string> {
  const { bytes } = await zip.finish()
  try {
    await store?.seal()
  } catch (error) {
    const cannot = `Cannot note that \`${part.finalPath}\` is finished`
    log.write('error', `${cannot}: what the store has of it is lost: ${errorMessage(error)}`)
  }
  await part.publish()
  const path = part.finalPath
  onPublished?.(path)
  if (settings.coreEvents) {
    const directory = settings.eventDirectory || join(home ?? dirname(part.path), 'events')
    try {
      await writeEvent(directory, uuid, formatEvent(crash, uuid, name, found))
    } catch (error) {
      log.write('error', `Cannot write the event to \`${directory}\`: ${errorMessage(error)}`)
    }
  }
  const { status } = found.identity
  log.write('info', `Wrote ${path}: ${bytes} bytes, held ${source.heldMs} ms, ${status}`)
  return path
}

/** The text of `<uuid>-event.json`: the fields of v9 in its order. */
function formatEvent(crash: Crash, uuid: string, name: string, found: LookupResult): string {
  const labels = found.podInfo?.['labels']
  const entries = isObject(labels) ? Object.entries(labels) : []
  return JSON.stringify({
    image_list: found.containers.map(({ imageInfo }) => firstDigest(imageInfo)),
    key: bundleFileName(name),
    exe_path: crash.pathname,
    labels: Object.fromEntries(entries.filter(([key]) => key.startsWith(LABEL_PREFIX))),
    limit_size: crash.limitSize,
    exe_name: crash.exeName,
    pid: crash.pid,
    signal: crash.signal,
    timestamp: crash.timestamp,
    hostname: crash.hostname,
    namespace: found.identity.namespace ?? 'unknown',
    uuid,
  })
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function firstDigest(imageInfo: JsonObject | undefined): string {
  const digests = imageInfo?.['repoDigests']
  const first = Array.isArray(digests) ? digests[0] : undefined
  return typeof first === 'string' ? first : ''
}

/** Writes `<directory>/<uuid>-event.json` by rename, 0600; the directory is made if missing. */
async function writeEvent(directory: string, uuid: string, text: string): Promise<void> {
  await makeDirectory(directory)
  const part = join(directory, `.${uuid}-event.json.part`)
  try {
    await writeFile(part, text, { mode: 0o600, flag: 'wx' })
    await rename(part, join(directory, `${uuid}-event.json`))
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

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
    blockingCalls.run(directory, sync, { limitMs: SYNC_LIMIT_MS }).catch(() => {})
  }, SYNC_DELAY_MS)
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
