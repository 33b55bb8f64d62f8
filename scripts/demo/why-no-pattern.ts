import { accessSync, constants } from 'node:fs'
import { onPath } from './on-path.ts'

const PATTERN = '/proc/sys/kernel/core_pattern'

/** Why the kernel's core pattern cannot be taken over here; undefined when it can. */
export function whyNoPattern(): string | undefined {
  if (process.platform !== 'linux') return `This is ${process.platform}, not Linux`
  if (process.getuid?.() !== 0) return 'Not root, so kernel.core_pattern cannot be taken over'
  // read-only in most containers, whoever one is
  try {
    accessSync(PATTERN, constants.W_OK)
  } catch {
    return `${PATTERN} is read-only here`
  }
  return onPath('flock') ? undefined : '`flock` of util-linux is missing, which guards the pattern'
}
