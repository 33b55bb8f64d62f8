import { close, constants, fstat, open, read } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { blockingCalls as callsOfProcess } from '../blocking-calls.ts'
import { warning } from '../error.ts'
import { type ProcFile, threadDirectory, truncated, unreadable } from './read-proc-file.ts'
import { MAX_FILE_BYTES, snapshotProcess } from './snapshot-process.ts'
import type { ProcessSnapshot, SnapshotOptions, SnapshotWithinOptions } from './types.ts'

// not node:fs/promises: 1 ms and 0.4 MiB in each of many composers while they wait
const openFile = promisify(open)
const readFrom = promisify(read)
const statOf = promisify(fstat)
const closeFile = promisify(close)

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY
// the kernel reads these from its own memory and waits for no lock of the process
const SAFE_FILES: ReadonlySet<string> = new Set(['auxv', 'status'])
// these from the memory of the process
const MEMORY_FILES: ReadonlySet<string> = new Set(['cmdline', 'environ'])

/**
 * As `snapshotProcess`, with a limit for `cmdline`, `environ` and `maps`, which may never be read:
 * the first two are in the memory of the process, which can be mapped from a FUSE file system of its
 * own; for `maps` Linux before 6.17 takes mmap_lock, which a process that shares the memory can keep.
 * Such a read keeps a thread of libuv's pool, and `process.exit` waits for it.
 */
export async function snapshotProcessWithin(
  pid: number,
  {
    memoryTimeoutMs = 1000,
    blockingCalls = callsOfProcess,
    ...options
  }: SnapshotWithinOptions = {},
): Promise<ProcessSnapshot> {
  const { root = '/proc', tid = pid, includeFiles = [], maxFileBytes = MAX_FILE_BYTES } = options
  const unsafeFiles = unsafeOf(includeFiles)
  const before = snapshotProcess(pid, without(unsafeFiles, options))
  if (!before.stable || unsafeFiles.length === 0) return before

  const files = new Map(before.files)
  const warnings = [...before.warnings]
  const thread = threadDirectory(root, pid, tid)
  for (const name of unsafeFiles) {
    const path = join(thread, basename(name))
    try {
      const limit = { limitMs: memoryTimeoutMs }
      const file = await blockingCalls.run(path, () => readFile(path, maxFileBytes), limit)
      files.set(name, file.bytes)
      if (file.truncated) warnings.push(truncated(name, pid, maxFileBytes))
    } catch (error) {
      warnings.push(unreadable(name, pid, error))
    }
  }

  const after = snapshotProcess(pid, without(includeFiles, options))
  if (!after.stable || after.startTime !== before.startTime) {
    // what was read before is still of the process; what was read since may be another's
    const message = `Process ${pid} ended while ${unsafeFiles.join(' and ')} were read`
    return { ...before, warnings: [...warnings, warning('PROCESS_CHANGED', message)] }
  }
  const inOrder = includeFiles.flatMap((name) => {
    const bytes = files.get(name)
    return bytes === undefined ? [] : [[name, bytes] as const]
  })
  const coreDumping = before.coreDumping && after.coreDumping
  return { ...before, coreDumping, files: new Map(inOrder), warnings }
}

/** Those that may hang, the most likely ones last: after one that does no other is tried. */
function unsafeOf(names: readonly string[]): readonly string[] {
  return names
    .filter((name) => !SAFE_FILES.has(basename(name)))
    .toSorted((a, b) => rankOf(a) - rankOf(b))
}

function rankOf(name: string): number {
  return MEMORY_FILES.has(basename(name)) ? 1 : 0
}

function without(names: readonly string[], options: SnapshotOptions): SnapshotOptions {
  const { includeFiles = [] } = options
  return { ...options, includeFiles: includeFiles.filter((name) => !names.includes(name)) }
}

async function readFile(path: string, maxBytes: number): Promise<ProcFile> {
  const fd = await openFile(path, FLAGS)
  try {
    if (!(await statOf(fd)).isFile()) throw new Error(`\`${path}\` is not a regular file`)
    const chunks: Buffer[] = []
    let length = 0
    // one byte more than wanted shows whether the file goes on
    while (length <= maxBytes) {
      const chunk = Buffer.allocUnsafe(Math.min(65_536, maxBytes + 1 - length))
      const { bytesRead } = await readFrom(fd, chunk, 0, chunk.length, null)
      if (bytesRead === 0) break
      chunks.push(chunk.subarray(0, bytesRead))
      length += bytesRead
    }
    const bytes = Buffer.concat(chunks, Math.min(length, maxBytes))
    return { bytes, truncated: length > maxBytes }
  } finally {
    await closeFile(fd)
  }
}
