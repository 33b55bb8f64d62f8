import { globSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ROOT } from '../set-up/root.mjs'

/** What can be measured, and the program that does: a package's own, or one of the whole chain. */
export const PROGRAMS: ReadonlyMap<string, string> = new Map(
  globSync(['{packages,apps}/*/bench/main.ts', 'integration/bench/*.ts'], { cwd: ROOT })
    .toSorted()
    .map((path) => [nameOf(path), join(ROOT, path)]),
)

/** What `npm run bench` runs, in less than five minutes on two CPUs: the figures that matter most. */
export const WHOLE_SET: readonly string[] = [
  'ingest --kinds half-zero,random,node-heap --modes deflate,store,adaptive,composer --peers cat,pigz,zstd',
  'held',
  'arrival',
  'storm --runs 32x100',
  'upload --rounds 2 --warm-up 0 --ours 2x8',
]

function nameOf(path: string): string {
  const name = basename(path, '.ts')
  return name === 'main' ? basename(dirname(dirname(path))) : name
}
