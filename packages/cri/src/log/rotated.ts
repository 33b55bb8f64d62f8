import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/**
 * The log that the kubelet rotated last: `0.log` becomes `0.log.20060102-150405`, and is compressed
 * only when the next one follows it.
 */
export async function lastRotated(path: string): Promise<string | undefined> {
  const prefix = `${basename(path)}.`
  const names = await readdir(dirname(path)).catch(() => [])
  const last = names
    .filter((name) => name.startsWith(prefix) && /^\d{8}-\d{6}$/.test(name.slice(prefix.length)))
    .toSorted()
    .at(-1)
  return last === undefined ? undefined : join(dirname(path), last)
}
