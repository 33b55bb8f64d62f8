import { build } from 'esbuild'

const entryPoint = new URL('../apps/agent/src/cli.ts', import.meta.url).pathname

/** Bundles the agent into one CommonJS file and returns the source files that went into it. */
export async function bundleAgent(outfile: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [entryPoint],
    conditions: ['@core-dump-handler/source'],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    // what the sources ask of import.meta.url, in a CommonJS file
    define: { 'import.meta.url': 'IMPORT_META_URL' },
    banner: { js: 'const IMPORT_META_URL=require("node:url").pathToFileURL(__filename).href;' },
    outfile,
  })
  return Object.keys(metafile.inputs)
}
