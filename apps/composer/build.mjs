// dist/: the library by tsc, and the program as one CommonJS file by esbuild
import { readFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'

const require = createRequire(import.meta.url)
const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc')

execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
  cwd: import.meta.dirname,
  stdio: 'inherit',
})

// CommonJS, because esbuild hoists `node:` imports of an ES module to its top: nothing stays
// lazy; and because it is what a single executable takes as its main
await build({
  entryPoints: ['src/cdc.ts'],
  absWorkingDir: import.meta.dirname,
  outfile: 'dist/cdc.cjs',
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node22.18',
  // from sources: what is deployed does not depend on what was built before
  conditions: ['@core-dump-handler/source'],
  minify: true,
  keepNames: false,
  legalComments: 'none',
  define: { COMPOSER_VERSION: JSON.stringify(version), 'import.meta.url': '""' },
})
