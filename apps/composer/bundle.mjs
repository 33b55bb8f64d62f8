import { readFileSync } from 'node:fs'
import { build } from 'esbuild'
import { lazySource } from './lazy-source.mjs'

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))

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

/** The whole program as one CommonJS file. */
export async function bundleComposer(outfile) {
  const plugins = [lazySource(options)]
  await build({ ...options, plugins, entryPoints: ['src/cdc.ts'], outfile })
}
