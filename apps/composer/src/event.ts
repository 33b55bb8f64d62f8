import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonObject, LookupResult } from '@core-dump-handler/cri'
import type { Crash } from './crash/crash.ts'
import { makeDirectory } from './make-directory.ts'

const LABEL_PREFIX = 'info.coredump'

/** The text of `<uuid>-event.json`: version 9's fields in its order. */
export function formatEvent(
  crash: Crash,
  { uuid, name }: { readonly uuid: string; readonly name: string },
  found: LookupResult,
): string {
  const labels = Object.entries((found.podInfo?.['labels'] ?? {}) as JsonObject)
  return JSON.stringify({
    image_list: found.containers.map(({ imageInfo }) => firstDigest(imageInfo)),
    key: `${name}.zip`,
    exe_path: crash.pathname,
    labels: Object.fromEntries(labels.filter(([key]) => key.startsWith(LABEL_PREFIX))),
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

function firstDigest(imageInfo: JsonObject | undefined): string {
  const digests = imageInfo?.['repoDigests']
  const first = Array.isArray(digests) ? digests[0] : undefined
  return typeof first === 'string' ? first : ''
}

/** Writes `<directory>/<uuid>-event.json` by rename, 0600; the directory is made if missing. */
export function writeEvent(directory: string, uuid: string, text: string): void {
  makeDirectory(directory)
  const part = join(directory, `.${uuid}-event.json.part`)
  try {
    writeFileSync(part, text, { mode: 0o600, flag: 'wx' })
    renameSync(part, join(directory, `${uuid}-event.json`))
  } catch (error) {
    rmSync(part, { force: true })
    throw error
  }
}
