import { basename, relative, resolve } from 'node:path'
import { type BuildOptions, type Plugin, build } from 'esbuild'

/**
 * Takes what stands behind an `import()` out of the bundle, as a string of source text. V8 parses a
 * whole file before its first line runs, but only scans a string: 170 KB of look-up cost 1 ms
 * instead of 15 while a process is held, and it stays one file. Each part is there once, whichever
 * parts import it: a capture that waits for its turn keeps the text of the whole file in memory.
 */
export class LazySource {
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
