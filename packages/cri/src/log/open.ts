import type { ContainerLog } from './container-log.ts'

export interface LogOptions {
  /**
   * Bytes read of the log at most.
   * @default 1048576
   */
  readonly maxBytes?: number
}

/**
 * Open the CRI log file at `path` and, where the kubelet has rotated it, the one before it. Only
 * regular files are opened, and no symbolic link is followed to them. Rejects when there is none.
 */
export async function openContainerLog(
  path: string,
  options: LogOptions = {},
): Promise<ContainerLog> {
  void options
  throw new Error(`not yet: ${path}`)
}
