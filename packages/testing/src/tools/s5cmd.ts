import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { goBuild } from './go.ts'
import type { Workshop } from './tool.ts'

const MODULE = 'github.com/peak/s5cmd/v2'

/** Through a module of our own: `go install` asks for the module's whole list of versions, which fails behind some proxies. */
export async function makeS5cmd(shop: Workshop): Promise<void> {
  await goBuild(shop, {
    name: 's5cmd',
    pkg: MODULE,
    ldflags: `-X ${MODULE}/version.Version=v2.3.0`,
    module: (dir) =>
      writeFile(join(dir, 'go.mod'), `module s5cmd\ngo 1.24\nrequire ${MODULE} v2.3.0\n`),
  })
}
