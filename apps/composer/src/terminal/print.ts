import { fstatSync, writeSync } from 'node:fs'

/** Text for a person. The kernel starts handlers with both outputs closed: a failure does not matter. */
export function print(fd: 1 | 2, text: string): void {
  try {
    writeSync(fd, text)
  } catch {
    // a closed output
  }
}

const MIB = 1024 * 1024

interface Progress {
  readonly update: (bytes: number) => void
  readonly end: () => void
}

/** One line on stderr that counts up, where that is a terminal; undefined elsewhere. */
export async function openProgress(): Promise<Progress | undefined> {
  // the file type first: started by the kernel, the tty module is not loaded
  if (!fstatSync(2).isCharacterDevice()) return undefined
  const { isatty } = await import('node:tty')
  if (!isatty(2)) return undefined
  let shown = false
  return {
    update(bytes) {
      shown = true
      print(2, `\rreading the core: ${(bytes / MIB).toFixed(0)} MiB`)
    },
    end() {
      // back to the first column, and erase the line
      if (shown) print(2, '\r\u001b[K')
    },
  }
}
