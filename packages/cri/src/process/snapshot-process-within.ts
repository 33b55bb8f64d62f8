import { basename, join } from 'node:path'
import { problem } from '../warning.ts'
import { threadDirectory, truncated, unreadable } from './read-proc-file.ts'
import { createMemoryReader, type MemoryReader } from './memory-reader.ts'
import { MAX_FILE_BYTES, snapshotProcess } from './snapshot-process.ts'
import type { ProcessSnapshot, SnapshotOptions, SnapshotWithinOptions } from './types.ts'

// filled from the memory of the process; the kernel knows all others by itself
const OF_MEMORY: ReadonlySet<string> = new Set(['cmdline', 'environ'])

/**
 * As `snapshotProcess`, for a process that may mean harm: `cmdline` and `environ`, which are read
 * from its memory, are waited for no longer than `memoryTimeoutMs`. When one is given up, a thread
 * of libuv's pool stays in that read, and `process.exit` waits for it.
 */
export function snapshotProcessWithin(
  pid: number,
  { memoryTimeoutMs, ...options }: SnapshotWithinOptions = {},
): Promise<ProcessSnapshot> {
  return snapshotBy(createMemoryReader(memoryTimeoutMs), pid, options)
}

/** With a reader that several snapshots share. */
export async function snapshotBy(
  memory: MemoryReader,
  pid: number,
  options: SnapshotOptions,
): Promise<ProcessSnapshot> {
  const { root = '/proc', tid = pid, includeFiles = [], maxFileBytes = MAX_FILE_BYTES } = options
  const [ofMemory, others] = [true, false].map((wanted) =>
    includeFiles.filter((name) => OF_MEMORY.has(basename(name)) === wanted),
  ) as [string[], string[]]
  const before = snapshotProcess(pid, { ...options, includeFiles: others })
  if (!before.stable || ofMemory.length === 0) return before

  const files = new Map(before.files)
  const problems = [...before.problems]
  const thread = threadDirectory(root, pid, tid)
  for (const name of ofMemory) {
    try {
      const file = await memory.read(join(thread, basename(name)), maxFileBytes)
      files.set(name, file.bytes)
      if (file.truncated) problems.push(truncated(name, pid, maxFileBytes))
    } catch (error) {
      problems.push(unreadable(name, pid, error))
    }
  }

  const after = snapshotProcess(pid, { ...options, includeFiles: [] })
  if (!after.stable || after.startTime !== before.startTime) {
    // all but what was read in between is still of the process that it was
    const message = `Process ${pid} ended while ${ofMemory.join(' and ')} were read`
    return { ...before, problems: [...problems, problem('PROCESS_CHANGED', message)] }
  }
  const inOrder = includeFiles.flatMap((name) => {
    const bytes = files.get(name)
    return bytes === undefined ? [] : [[name, bytes] as const]
  })
  const coreDumping = before.coreDumping && after.coreDumping
  return { ...before, coreDumping, files: new Map(inOrder), problems }
}
