import { writeFile } from 'node:fs/promises'

/**
 * Keep our memory, and the store's keys in it, out of a core of ourselves: with an empty
 * coredump_filter the kernel dumps the headers and registers alone, core(5). Children inherit it.
 */
export async function hideOwnMemory(): Promise<void> {
  await writeFile('/proc/self/coredump_filter', '0')
}
