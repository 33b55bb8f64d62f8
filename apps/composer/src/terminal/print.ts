import { writeSync } from 'node:fs'

/** Text for a person. The kernel starts handlers with both outputs closed: a failure does not matter. */
export function print(fd: 1 | 2, text: string): void {
  try {
    writeSync(fd, text)
  } catch {
    // a closed output
  }
}
