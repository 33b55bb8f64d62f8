import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { Architecture } from './architecture.ts'
import { fetchLibraries, type ShippedPackage } from './debian-libraries.ts'
import { nodeBinary, type ShippedNode } from './node-binary.ts'
import { singleExecutable } from './single-executable.ts'

const { version } = createRequire(import.meta.url)('../../apps/composer/package.json') as {
  version: string
}
const here = new URL('.', import.meta.url).pathname

/** The composer as it is put on a host (`cdc` and `lib/` in `dir`), and what it was made of. */
export interface ComposerArtefact {
  readonly dir: string
  readonly node: ShippedNode
  readonly libraries: readonly ShippedPackage[]
}

/** Builds the self-contained composer of one architecture into `dir`, replacing what was there. */
export async function buildComposer(
  architecture: Architecture,
  { dir, cacheDir }: { dir: string; cacheDir: string },
): Promise<ComposerArtefact> {
  const work = `${dir}.work`
  for (const folder of [dir, work]) rmSync(folder, { recursive: true, force: true })
  for (const folder of [join(dir, 'lib'), work]) mkdirSync(folder, { recursive: true })
  await bundleMain(join(work, 'main.cjs'))
  const node = nodeBinary(architecture, cacheDir)
  renameSync(singleExecutable(architecture, node.binary, work), join(dir, 'cdc'))
  const libraries = fetchLibraries(architecture, join(dir, 'lib'), join(dir, 'licences'))
  rmSync(work, { recursive: true })
  return { dir, node, libraries }
}

/** The main of a single executable must be CommonJS; what it imports lazily stays lazy in it. */
async function bundleMain(outfile: string): Promise<void> {
  await build({
    entryPoints: [join(here, 'main.ts')],
    conditions: ['@core-dump-handler/source'],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    define: { COMPOSER_VERSION: JSON.stringify(version), 'import.meta.url': '""' },
    outfile,
  })
}
