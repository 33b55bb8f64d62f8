import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { LazySource } from './lazy-source.ts'

const here = dirname(import.meta.dirname)

export interface BundleOptions {
  /** @default `src/main.ts` of this package */
  readonly entryPoint?: string
}

/** The whole program as one CommonJS file, which starts fast: see `LazySource`. */
export async function bundleComposer(
  outfile: string,
  { entryPoint = `${here}/src/main.ts` }: BundleOptions = {},
): Promise<void> {
  const options = composerOptions()
  const lazy = new LazySource(options)
  const main = { ...options, plugins: [lazy.plugin], entryPoints: [entryPoint] }
  const { outputFiles } = await build({ ...main, write: false })
  mkdirSync(dirname(outfile), { recursive: true })
  writeFileSync(outfile, lazy.loader + (outputFiles[0]?.text ?? ''))
}

// CommonJS, because esbuild hoists `node:` imports of an ES module to its top, where nothing is
// lazy any more; and because it is what a single executable takes as its main
function composerOptions(): BuildOptions {
  const manifest: unknown = JSON.parse(readFileSync(`${here}/package.json`, 'utf8'))
  if (typeof manifest !== 'object' || manifest === null || !('version' in manifest)) {
    throw new Error(`${here}/package.json has no version`)
  }
  return {
    absWorkingDir: here,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node22.18',
    // from sources: what is deployed does not depend on what was built before
    conditions: ['@core-dump-handler/source'],
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    define: { COMPOSER_VERSION: JSON.stringify(manifest.version), 'import.meta.url': '__filename' },
  }
}
