import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The directories of one demo, as a node has them. */
export interface Scratch {
  readonly root: string
  /** HOST_DIR: the composer and its files. */
  readonly hostDir: string
  /** CORE_DIR: where bundles wait. */
  readonly coreDir: string
  /** The destination, in place of a bucket. */
  readonly bucket: string
}

/** Run `task` with new directories and remove them afterwards, all but the bucket when `keep` is set. */
export async function withScratch(
  keep: boolean,
  task: (scratch: Scratch) => Promise<void>,
): Promise<void> {
  // a short name: the path is part of core_pattern, which ends at 127 bytes
  const root = mkdtempSync(join(tmpdir(), 'cdh-'))
  const [hostDir, coreDir, bucket] = [join(root, 'host'), join(root, 'cores'), join(root, 'bucket')]
  for (const dir of [hostDir, coreDir, bucket]) mkdirSync(dir)
  let kept = false
  try {
    await task({ root, hostDir, coreDir, bucket })
    kept = keep
  } finally {
    for (const dir of kept ? [hostDir, coreDir] : [root]) {
      rmSync(dir, { recursive: true, force: true })
    }
  }
}

/** The first finished object in the destination. */
export function objectIn({ bucket }: Scratch): string | undefined {
  const names = readdirSync(bucket).filter((name) => !name.startsWith('.') && name.endsWith('.zip'))
  return names[0] === undefined ? undefined : join(bucket, names[0])
}
