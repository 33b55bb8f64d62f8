// dist/: the library by tsc, and the program as one file by esbuild
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { bundleComposer } from './bundle.ts'

const here = dirname(import.meta.dirname)
const { resolve } = createRequire(import.meta.url)
const tsc = join(dirname(resolve('typescript/package.json')), 'bin/tsc')

// tsc leaves the output of deleted sources
rmSync(join(here, 'dist'), { recursive: true, force: true })
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
  cwd: here,
  stdio: 'inherit',
})
await bundleComposer(join(here, 'dist/cdc.cjs'))
