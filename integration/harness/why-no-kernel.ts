import { accessSync, constants } from 'node:fs'

/** Why this machine's kernel cannot be told what to do with cores; undefined when it can. */
export function whyNoKernel(): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux'
  if (process.getuid?.() !== 0) return 'only root may tell the kernel what to do with cores'
  try {
    accessSync('/proc/sys/kernel/core_pattern', constants.W_OK)
    return undefined
  } catch (error) {
    return `kernel.core_pattern cannot be written: ${String(error)}`
  }
}
