import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Scratch } from './scratch.ts'

/** The first finished object in the destination. */
export function objectIn({ bucket }: Scratch): string | undefined {
  const names = readdirSync(bucket).filter((name) => !name.startsWith('.') && name.endsWith('.zip'))
  return names[0] === undefined ? undefined : join(bucket, names[0])
}
