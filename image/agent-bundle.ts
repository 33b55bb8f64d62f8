import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'

const agent = new URL('../apps/agent/', import.meta.url).pathname
const { name, version } = createRequire(import.meta.url)('../apps/agent/package.json') as {
  name: string
  version: string
}

/** What the CommonJS packages among the dependencies expect around them. */
const COMMONJS = `import{createRequire as nodeRequire}from"node:module";const require=nodeRequire(import.meta.url),__filename=import.meta.filename,__dirname=import.meta.dirname;`

/** Bundles the agent into `dir`, shaped like its npm package, and returns the sources it was made of. */
export async function bundleAgent(dir: string): Promise<string[]> {
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ name, version, type: 'module' }))
  const { metafile } = await build({
    entryPoints: [join(agent, 'src/cli.ts')],
    conditions: ['@core-dump-handler/source'],
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
    // for the CommonJS packages among the dependencies
    banner: { js: COMMONJS },
    outdir: join(dir, 'dist'),
    outExtension: { '.js': '.mjs' },
  })
  return Object.keys(metafile.inputs)
}
