import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { bundleComposer } from '../../apps/composer/build/bundle.ts'
import type { Architecture } from './architecture.ts'
import type { BundledPackage } from '../licences.ts'
import { fetchLibraries, type ShippedPackage } from './debian-libraries.ts'
import { copyKoffi } from './koffi.ts'
import { nodeBinary, type ShippedNode } from './node-binary.ts'
import { singleExecutable } from './single-executable.ts'

const here = new URL('.', import.meta.url).pathname

/** The composer as it is put on a host (`cdc` and `lib/` in `dir`), and what it was made of. */
export interface ComposerInstall {
  readonly dir: string
  readonly node: ShippedNode
  readonly libraries: readonly ShippedPackage[]
  readonly koffi: BundledPackage
}

/** Builds the self-contained composer of one architecture into `dir`, replacing what was there. */
export async function buildComposer(
  architecture: Architecture,
  { dir, cacheDir }: { dir: string; cacheDir: string },
): Promise<ComposerInstall> {
  const work = `${dir}.work`
  for (const folder of [dir, work]) rmSync(folder, { recursive: true, force: true })
  for (const folder of [join(dir, 'lib'), work]) mkdirSync(folder, { recursive: true })
  await bundleComposer(join(work, 'main.cjs'), { entryPoint: join(here, 'main.ts') })
  const node = nodeBinary(architecture, cacheDir)
  renameSync(singleExecutable(architecture, node.binary, work), join(dir, 'cdc'))
  const [outDir, licenceDir] = [join(dir, 'lib'), join(dir, 'licences')]
  const libraries = fetchLibraries(architecture, outDir, licenceDir)
  const koffi = copyKoffi(architecture, { outDir, licenceDir, cacheDir })
  rmSync(work, { recursive: true })
  return { dir, node, libraries, koffi }
}
