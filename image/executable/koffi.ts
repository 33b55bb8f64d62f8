import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BundledPackage } from '../licences.ts'
import type { Architecture } from './architecture.ts'
import { lockedPackage } from './locked-package.ts'

/** The package has none of its own: the text is that of koffi 3. */
const LICENCE = new URL('koffi-licence.txt', import.meta.url)

/**
 * Puts koffi's native module, which calls ISA-L, into `outDir` as `koffi.node`: a native module
 * cannot be loaded from inside of the executable.
 */
export function copyKoffi(
  { node }: Architecture,
  { outDir, licenceDir, cacheDir }: { outDir: string; licenceDir: string; cacheDir: string },
): BundledPackage {
  const { name, version, folder } = lockedPackage(`@koromix/koffi-linux-${node}`, cacheDir)
  copyFileSync(join(folder, `linux_${node}`, 'koffi.node'), join(outDir, 'koffi.node'))
  copyFileSync(LICENCE, join(licenceDir, 'koffi'))
  return { name, version, licence: 'MIT' }
}
