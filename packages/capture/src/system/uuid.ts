import { readFileSync } from 'node:fs'

/** A random UUID from the kernel, random(4): node:crypto takes milliseconds to load. */
export async function randomUuid(): Promise<string> {
  try {
    return readFileSync('/proc/sys/kernel/random/uuid', 'latin1').trim()
  } catch {
    return (await import('node:crypto')).randomUUID()
  }
}
