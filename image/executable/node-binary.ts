import { join } from 'node:path'
import type { Architecture } from './architecture.ts'
import { lockedPackage } from './locked-package.ts'

/** The Node that ships. */
export interface ShippedNode {
  readonly name: string
  readonly version: string
  readonly binary: string
  readonly licence: string
}

/** The locked Node for `architecture`. */
export function nodeBinary({ node }: Architecture, cacheDir: string): ShippedNode {
  const { folder, ...shipped } = lockedPackage(`node-linux-${node}`, cacheDir)
  return { ...shipped, binary: join(folder, 'bin/node'), licence: join(folder, 'LICENSE') }
}
