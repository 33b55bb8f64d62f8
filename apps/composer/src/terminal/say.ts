import { writeSync } from 'node:fs'

/** Text for a person; the kernel starts handlers with both outputs closed, so a failure is no matter. */
export function say(fd: 1 | 2, text: string): void {
  try {
    writeSync(fd, text)
  } catch {
    // nobody listens
  }
}
