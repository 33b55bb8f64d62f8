import { closeSync, openSync } from 'node:fs'

/** Closes `fd`; one of the standard three becomes /dev/null, as no other file should get its number. */
export function closeFd(fd: number): void {
  closeSync(fd)
  if (fd > 2) return
  const opened = openSync('/dev/null', fd === 0 ? 'r' : 'w')
  // a thread of the pool was quicker: then the number is taken anyway
  if (opened !== fd) closeSync(opened)
}
