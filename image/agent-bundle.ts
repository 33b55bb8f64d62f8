import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import * as v from 'valibot'

const agent = new URL('../apps/agent/', import.meta.url).pathname

/** Name and version of the agent's npm package, which the image has too. */
export function agentPackage(): { readonly name: string; readonly version: string } {
  return packageOf(agent)
}

/** Name and version of the package in `folder`. */
export function packageOf(folder: string): { readonly name: string; readonly version: string } {
  const schema = v.object({ name: v.string(), version: v.string() })
  return v.parse(schema, JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')))
}

/** Globals that the CommonJS packages among the dependencies need. */
export const COMMONJS = `import{createRequire as nodeRequire}from"node:module";const require=nodeRequire(import.meta.url),__filename=import.meta.filename,__dirname=import.meta.dirname;`

/** Bundles the agent into `dir`, shaped like its npm package, and returns the sources it was made of. */
export async function bundleAgent(dir: string): Promise<string[]> {
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ ...agentPackage(), type: 'module' }))
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
    banner: { js: COMMONJS },
    outdir: join(dir, 'dist'),
    outExtension: { '.js': '.mjs' },
  })
  return Object.keys(metafile.inputs)
}
