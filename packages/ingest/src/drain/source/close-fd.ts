import { closeSync, openSync } from 'node:fs'

/** Closes `fd`; one of the standard three becomes /dev/null, as no other file should get its number. */
export function closeFd(fd: number): void {
  closeSync(fd)
  if (fd > 2) return
  const opened = openNull(fd)
  // a thread of the pool was quicker: then the number is taken anyway
  if (opened !== undefined && opened !== fd) closeSync(opened)
}

/** Undefined on a root without devices: the number stays free then, and the process is released all the same. */
function openNull(fd: number): number | undefined {
  try {
    return openSync('/dev/null', fd === 0 ? 'r' : 'w')
  } catch {
    return undefined
  }
}
