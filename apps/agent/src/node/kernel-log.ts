import { closeSync, constants, openSync, readSync } from 'node:fs'

const RECORD_BYTES = 8192

/**
 * Lines of the kernel's log since it was last read by this object, kmsg(4); none where it may not be read.
 * It is read on purpose with O_NONBLOCK and readSync: each read gives one record, the end is EAGAIN.
 */
export class KernelLog {
  readonly #fd: number | undefined

  constructor(path = '/dev/kmsg') {
    try {
      this.#fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    } catch {
      this.#fd = undefined
    }
    this.read()
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
        if (error instanceof Error && 'code' in error && error.code === 'EPIPE') continue
        break
      }
    }
    return lines
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
  }
}
