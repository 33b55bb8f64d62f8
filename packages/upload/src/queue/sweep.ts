import { isUploadError, type UploadError } from '../error.ts'
import type { SweepResult } from './events.ts'

/** Failures of the destination in a row after which the rest is left for another time. */
const MAX_DESTINATION_FAILURES = 3

/** Give each file one try, several at once; `send` tells its bytes, or undefined when it was skipped. */
export async function sweepFiles(
  files: readonly string[],
  concurrency: number,
  send: (file: string) => Promise<number | undefined>,
  signal?: AbortSignal,
): Promise<SweepResult> {
  const queue = files.values()
  const errors: UploadError[] = []
  let stored = 0
  let skipped = 0
  let bytes = 0
  let tried = 0
  let inRow = 0
  const worker = async (): Promise<void> => {
    for (const file of queue) {
      tried++
      try {
        const sent = await send(file)
        if (sent === undefined) skipped++
        else stored++
        bytes += sent ?? 0
        inRow = 0
      } catch (error) {
        if (!isUploadError(error)) throw error
        errors.push(error)
        inRow = error.scope === 'destination' ? inRow + 1 : 0
      }
      if (inRow >= MAX_DESTINATION_FAILURES || signal?.aborted === true) return
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, worker))
  return { stored, failed: errors.length, skipped, untried: files.length - tried, bytes, errors }
}
