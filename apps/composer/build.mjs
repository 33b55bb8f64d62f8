// dist/: the library by tsc, and the program as one CommonJS file by esbuild
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'
import { lazySource } from './lazy-source.mjs'

const require = createRequire(import.meta.url)
const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc')

execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
  cwd: import.meta.dirname,
  stdio: 'inherit',
})

// CommonJS, because esbuild hoists `node:` imports of an ES module to its top, where nothing is
// lazy any more; and because it is what a single executable takes as its main
const options = {
  absWorkingDir: import.meta.dirname,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node22.18',
  // from sources: what is deployed does not depend on what was built before
  conditions: ['@core-dump-handler/source'],
  minify: true,
  legalComments: 'none',
  define: { COMPOSER_VERSION: JSON.stringify(version), 'import.meta.url': '""' },
}

await build({
  ...options,
  entryPoints: ['src/cdc.ts'],
  outfile: 'dist/cdc.cjs',
  plugins: [lazySource(options)],
})
