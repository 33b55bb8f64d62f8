import { readdir } from 'node:fs/promises'
import fastGlob from 'fast-glob'
import { BinaryUploads } from '../binaries/binary-uploads.ts'
import { openUploader } from '../upload/open-uploader.ts'
import type { CommandContext } from '../context.ts'
import type { Log } from '../log/open-log.ts'

/** Uploads every bundle of CORE_DIR, or the given files, once. Resolves with the exit code: 1 when one could not be sent. */
export async function sweep(
  { settings, log, signal }: CommandContext,
  patterns: readonly string[],
): Promise<number> {
  if (settings.destination === undefined) {
    log.error('no destination: set DESTINATION or S3_BUCKET_NAME')
    return 1
  }
  const files = await expand(patterns)
  const nothing = patterns.filter((_, index) => files[index]?.length === 0)
  for (const file of nothing) log.error({ file }, 'no such file')
  if (patterns.length === 0 && !(await isReadable(settings.coreDir, log))) return 1

  const uploader = openUploader(settings, log)
  if (uploader === undefined) return 1
  try {
    const result = await uploader.queue.sweep({
      signal,
      ...(patterns.length > 0 && { files: [...new Set(files.flat())] }),
    })
    if (patterns.length === 0) await new BinaryUploads({ settings, log, signal }).sweep(uploader)
    const { stored, skipped, untried, bytes } = result
    const failed = result.failed + nothing.length
    const complete = failed === 0 && untried === 0 && !signal.aborted
    const facts = { stored, failed, skipped, untried, bytes }
    log[complete ? 'info' : 'error'](facts, complete ? 'sweep done' : 'sweep incomplete')
    return complete ? 0 : 1
  } finally {
    await uploader.destination.close()
  }
}

/** A file of exactly that name wins over the glob; a glob does not match unfinished bundles. */
async function expand(patterns: readonly string[]): Promise<string[][]> {
  return Promise.all(
    patterns.map(async (pattern) => {
      const literal = await fastGlob(fastGlob.escapePath(pattern), { onlyFiles: false, dot: true })
      if (literal.length > 0 || !fastGlob.isDynamicPattern(pattern)) return literal
      return fastGlob(pattern, { onlyFiles: true, followSymbolicLinks: false, dot: false })
    }),
  )
}

async function isReadable(coreDir: string, log: Log): Promise<boolean> {
  try {
    await readdir(coreDir)
    return true
  } catch (err) {
    log.error({ err }, 'cannot list CORE_DIR')
    return false
  }
}
