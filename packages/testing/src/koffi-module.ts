import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** koffi's native module, which lies beside an installed composer. */
export function koffiModule(): string {
  const { resolve } = createRequire(import.meta.url)
  const folder = dirname(resolve(`@koromix/koffi-linux-${process.arch}`))
  return join(folder, `linux_${process.arch}`, 'koffi.node')
}
