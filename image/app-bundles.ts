import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import * as v from 'valibot'
import type { Architecture } from './executable/architecture.ts'
import { lockedPackage } from './executable/locked-package.ts'

const agent = new URL('../apps/agent/', import.meta.url).pathname
const receiver = new URL('../apps/receiver/', import.meta.url).pathname
/** It loads a native module, which cannot be in a bundle. */
const KOFFI_FILES = ['package.json', 'index.js', 'src/koffi/index.js', 'src/koffi/src/static.js']
/** Globals that the CommonJS packages among the dependencies need. */
const COMMONJS = `import{createRequire as nodeRequire}from"node:module";const require=nodeRequire(import.meta.url),__filename=import.meta.filename,__dirname=import.meta.dirname;`

/** Name and version of the agent's npm package, which the image has too. */
export function agentPackage(): { readonly name: string; readonly version: string } {
  return packageOf(agent)
}

/** Bundles the agent into `dir`, shaped like its npm package, and returns the sources it was made of. */
export function bundleAgent(dir: string): Promise<string[]> {
  return bundleApp(agent, dir)
}

/** Bundles the receiver in the same way. */
export function bundleReceiver(dir: string): Promise<string[]> {
  return bundleApp(receiver, dir)
}

/** Adds koffi to `dir`, in which the bundles of both are, and returns its sources. */
export function addKoffi({ node }: Architecture, dir: string, cacheDir: string): string[] {
  const native = `@koromix/koffi-linux-${node}`
  const koffi = lockedPackage('koffi', cacheDir).folder
  const binary = lockedPackage(native, cacheDir).folder
  for (const file of KOFFI_FILES) {
    cpSync(join(koffi, file), join(dir, 'node_modules/koffi', file))
  }
  for (const file of ['package.json', 'index.js', `linux_${node}`]) {
    cpSync(join(binary, file), join(dir, 'node_modules', native, file), { recursive: true })
  }
  // the native module is listed with the composer, which has it too
  return [join(koffi, 'index.js')]
}

async function bundleApp(app: string, dir: string): Promise<string[]> {
  mkdirSync(dir, { recursive: true })
  const manifest = { ...packageOf(app), type: 'module' }
  writeFileSync(join(dir, 'package.json'), JSON.stringify(manifest))
  const { metafile } = await build({
    entryPoints: [join(app, 'src/cli.ts')],
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
    external: ['koffi'],
    banner: { js: COMMONJS },
    outdir: join(dir, 'dist'),
    outExtension: { '.js': '.mjs' },
  })
  return Object.keys(metafile.inputs)
}

function packageOf(folder: string): { readonly name: string; readonly version: string } {
  const schema = v.object({ name: v.string(), version: v.string() })
  return v.parse(schema, JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')))
}
