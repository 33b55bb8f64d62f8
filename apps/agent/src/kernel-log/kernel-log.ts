import { closeSync, constants, openSync, readSync } from 'node:fs'
import { codeOf, messageOf } from '../error.ts'

const RECORD_BYTES = 8192

export interface KernelLogOptions {
  /** Whether to begin with the records the kernel still has, instead of with new ones. @default false */
  readonly fromStart?: boolean
}

/**
 * Lines of the kernel's log since it was last read by this object, kmsg(4); none where it may not be read.
 * It is read on purpose with O_NONBLOCK and readSync: each read gives one record, the end is EAGAIN.
 */
export class KernelLog {
  /** Why it cannot be read, if so: a container has no /dev/kmsg unless it is privileged. */
  readonly unreadable: string | undefined
  readonly #fd: number | undefined

  constructor({ fromStart = false }: KernelLogOptions = {}) {
    try {
      this.#fd = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK)
    } catch (error) {
      this.unreadable = messageOf(error)
    }
    if (!fromStart) this.read()
  }

  read(): string[] {
    const lines: string[] = []
    const record = Buffer.allocUnsafe(RECORD_BYTES)
    while (this.#fd !== undefined) {
      try {
        const bytes = readSync(this.#fd, record)
        if (bytes === 0) break
        // `priority,sequence,time,flags;text`, then lines of further facts
        lines.push(
          record
            .toString('utf8', 0, bytes)
            .replace(/^[^;]*;/, '')
            .split('\n', 1)[0] ?? '',
        )
      } catch (error) {
        // EPIPE: records were overwritten before they could be read; the next are there
        if (codeOf(error) === 'EPIPE') continue
        break
      }
    }
    return lines
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
  }
}
