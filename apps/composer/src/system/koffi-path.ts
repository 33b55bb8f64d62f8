import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isSea } from 'node:sea'

/**
 * koffi's native module, for `drain`: of the self-contained executable among its libraries, of an
 * installed script beside it; undefined for a script of the npm package, which has its own.
 */
export function koffiPath(script: string | undefined): string | undefined {
  if (isSea()) return 'koffi.node'
  const beside = join(dirname(script ?? '/'), 'koffi.node')
  return existsSync(beside) ? beside : undefined
}
