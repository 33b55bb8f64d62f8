import { writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { isIngestError, type RecompressedEntry, recompressZip } from '@core-dump-handler/ingest'
import { messageOf } from '../error.ts'
import type { Report } from './recompress-bundle.ts'

/** The bundle, held open and locked by whoever started us. */
const BUNDLE_FD = 3
/** A fifth more time than 1 for a twentieth fewer bytes; 6 would double the time. */
const LEVEL = 3
const NICE = 19
/** The first to go when memory runs out: nothing is lost with it; proc(5). */
const OOM_SCORE_ADJ = 1000

/**
 * The child: compresses one bundle in full and reports. Begins when it is told to on its standard
 * input, and ends with it: an agent that was killed leaves none behind.
 */
export async function recompressNow([
  path = '',
  entryName = '',
  manifestName = '',
  minFree = '0',
]: readonly string[]): Promise<number> {
  quietly(() => setPriority(NICE))
  quietly(() => writeFileSync('/proc/self/oom_score_adj', String(OOM_SCORE_ADJ)))
  await new Promise((resolve) => {
    process.stdin.once('data', resolve)
    process.stdin.once('close', () => process.exit(1))
  })
  let report: Report
  try {
    report = await recompressZip(path, {
      entryName,
      fd: BUNDLE_FD,
      level: LEVEL,
      minFreeBytes: Number(minFree),
      rewrite: { [manifestName]: tellManifest },
    })
  } catch (error) {
    const code = isIngestError(error) ? error.code : 'IO'
    report = {
      outcome: 'failed',
      code,
      message: messageOf(error),
    }
  }
  writeFileSync(1, `${JSON.stringify(report)}\n`)
  process.stdin.destroy()
  return report.outcome === 'failed' ? 1 : 0
}

/** The manifest with what the core takes since, and what it took before. */
function tellManifest(data: Buffer, { fromBytes, storedBytes }: RecompressedEntry): string {
  const manifest: unknown = JSON.parse(data.toString())
  if (!isObject(manifest) || !isObject(manifest['core'])) {
    throw new TypeError('Expected a manifest with a core')
  }
  const core = { ...manifest['core'], storedBytes, recompressed: { fromBytes, level: LEVEL } }
  return `${JSON.stringify({ ...manifest, core }, null, 2)}\n`
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

function quietly(step: () => void): void {
  try {
    step()
  } catch {
    // a priority is never a reason to fail
  }
}
