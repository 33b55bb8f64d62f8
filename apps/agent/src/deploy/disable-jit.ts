import { readSync, writeSync } from 'node:fs'

/**
 * Option that the build gives the executable for Node (`execArgv` of its settings). It changes nothing (V8 profiles only when asked to) and has as many bytes as `--jitless`.
 */
export const JIT_OPTION = '--no-prof'
const NO_JIT_OPTION = '--jitless'
const CHUNK_BYTES = 4 * 1024 * 1024
const LENGTH_BYTES = 8

/**
 * Makes the executable open at `fd` run without memory that is executable and was written to, which
 * SELinux denies as `execmem`. Throws a TypeError where it has no place for that option.
 */
export function disableJit(fd: number): void {
  const offset = find(fd, JIT_OPTION)
  if (offset === undefined) {
    throw new TypeError(`The executable has no option \`${JIT_OPTION}\`: it cannot run without JIT`)
  }
  writeSync(fd, NO_JIT_OPTION, offset, 'latin1')
}

/** Whether the executable open at `fd` was made to run without JIT. */
export function isJitDisabled(fd: number): boolean {
  return find(fd, NO_JIT_OPTION) !== undefined
}

/** Where the option is in the file: in a single executable its text follows its length, 64 bits. */
function find(fd: number, option: string): number | undefined {
  const text = Buffer.alloc(LENGTH_BYTES + option.length)
  text.writeUInt8(option.length)
  text.write(option, LENGTH_BYTES, 'latin1')
  const chunk = Buffer.alloc(CHUNK_BYTES)
  for (let position = 0; ; position += CHUNK_BYTES - text.length) {
    const bytes = readSync(fd, chunk, 0, CHUNK_BYTES, position)
    const at = chunk.subarray(0, bytes).indexOf(text)
    if (at >= 0) return position + at + LENGTH_BYTES
    if (bytes < CHUNK_BYTES) return undefined
  }
}
