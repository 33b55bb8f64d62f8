import { isUploadError } from '../error.ts'
import type { UploadError } from '../error.ts'
import type { SweepResult } from './events.ts'
import { SameFailure } from './same-failure.ts'

/** Failures of the destination in a row after which the rest is not tried. */
const MAX_DESTINATION_FAILURES = 3

/** Try each file once, several at a time; `send` returns its bytes, or undefined when it was skipped. */
export async function sweepFiles(
  files: readonly string[],
  concurrency: number,
  send: (file: string) => Promise<number | undefined>,
  signal?: AbortSignal,
): Promise<SweepResult> {
  const queue = files.values()
  const errors: UploadError[] = []
  const same = new SameFailure()
  let isFailing = false
  let stored = 0
  let skipped = 0
  let bytes = 0
  let tried = 0
  let inRow = 0
  const failed = (file: string, error: UploadError): void => {
    errors.push(error)
    inRow = error.scope === 'destination' ? inRow + 1 : 0
    const isSame = SameFailure.isEvidence(error) && same.add(file, error)
    isFailing ||= isSame || inRow >= MAX_DESTINATION_FAILURES
  }
  const worker = async (): Promise<void> => {
    for (const file of queue) {
      tried++
      try {
        const sent = await send(file)
        if (sent === undefined) skipped++
        else stored++
        bytes += sent ?? 0
        inRow = 0
        same.clear()
      } catch (error) {
        if (!isUploadError(error)) throw error
        failed(file, error)
      }
      if (isFailing || signal?.aborted === true) return
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, worker))
  return { stored, failed: errors.length, skipped, untried: files.length - tried, bytes, errors }
}
