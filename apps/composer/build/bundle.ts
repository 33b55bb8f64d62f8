import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, relative, resolve } from 'node:path'
import { build, type BuildOptions, type Plugin } from 'esbuild'

const here = dirname(import.meta.dirname)

interface BundleOptions {
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

/**
 * Takes what stands behind an `import()` out of the bundle, as a string of source text. V8 parses a
 * whole file before its first line runs, but only scans a string: 170 KB of look-up cost 1 ms
 * instead of 15 while a process is held, and it stays one file. Each part is there once, whichever
 * parts import it: a capture that waits for its turn keeps the text of the whole file in memory.
 */
class LazySource {
  readonly #options: BuildOptions
  readonly #parts = new Map<string, string>()

  /** `options`: for the parts. */
  constructor(options: BuildOptions) {
    this.#options = options
  }

  get plugin(): Plugin {
    return {
      name: 'lazy-source',
      setup: (bundle) => {
        bundle.onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) =>
          kind === 'dynamic-import'
            ? { path: resolve(resolveDir, path), namespace: 'lazy-source' }
            : undefined,
        )
        bundle.onLoad({ filter: /.*/, namespace: 'lazy-source' }, async ({ path }) => {
          const name = relative(this.#options.absWorkingDir ?? '', path)
          await this.#add(name, path)
          return { contents: `module.exports = loadPart(${JSON.stringify(name)})`, loader: 'js' }
        })
      },
    }
  }

  /** The function that the bundle calls; to be put before it once it is built. */
  get loader(): string {
    // a function with a body for each: V8 compiles it when it is called; of an arrow function without
    // one, and of a string in no function, it makes a second copy in memory at once
    // sorted, as parts are built in no order: the same sources give the same bytes
    const parts = [...this.#parts].toSorted(([a], [b]) => (a < b ? -1 : 1))
    const texts = parts.map(([name, text]) => `${JSON.stringify(name)}(){return ${quote(text)}}`)
    return `"use strict";const loadPart=(()=>{const parts={${texts.join(',\n')}},loaded=new Map();
return(name)=>{let part=loaded.get(name);if(part)return part.exports;part={exports:{}};
(0,eval)(parts[name]())(require,part,part.exports,__filename,loadPart);
loaded.set(name,part);return part.exports}})();
`
  }

  async #add(name: string, path: string): Promise<void> {
    if (this.#parts.has(name)) return
    // before it is built: parts may import each other
    this.#parts.set(name, '')
    const options = { ...this.#options, plugins: [this.plugin], entryPoints: [path] }
    const inner = await build({ ...options, write: false })
    const text = inner.outputFiles[0]?.text ?? ''
    // for `eval`, as `new Function` copies its text and parses it twice
    const parameters = 'require,module,exports,__filename,loadPart'
    const part = `(function(${parameters}){${text}\n//# sourceURL=cdc/${basename(path)}\n})`
    this.#parts.set(name, part)
  }
}

/** As a template literal: minified code is full of quotes, and has hardly anything to escape here. */
function quote(text: string): string {
  return `\`${text.replaceAll(/\\|`|\$\{/g, '\\$&')}\``
}
