import type { SalvageOptions } from './options.ts'

/** To be awaited for all bytes that were worked on; throws once the work is to end. */
export type Pace = (bytes: number) => Promise<void>

const STEP_BYTES = 1024 * 1024

/** Calls `onProgress` once for each MiB. */
export function paceOf({
  onProgress,
  signal,
}: Pick<SalvageOptions, 'onProgress' | 'signal'>): Pace {
  let bytes = 0
  let told = 0
  return async (more) => {
    signal?.throwIfAborted()
    bytes += more
    if (bytes < told + STEP_BYTES) return
    told = bytes
    await onProgress?.({ bytes })
  }
}
