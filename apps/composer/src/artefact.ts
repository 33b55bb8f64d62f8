/** The composer as one CommonJS file, made by this package's build: what a node runs as `cdc`. */
export function composerBundle(): URL {
  return new URL('../dist/cdc.cjs', import.meta.url)
}
