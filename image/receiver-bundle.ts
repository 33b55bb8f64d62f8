import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { packageOf, COMMONJS } from './agent-bundle.ts'
import type { Architecture } from './executable/architecture.ts'
import { lockedPackage } from './executable/locked-package.ts'

const receiver = new URL('../apps/receiver/', import.meta.url).pathname
/** It loads a native module, which cannot be in a bundle. */
const KOFFI_FILES = ['package.json', 'index.js', 'src/koffi/index.js', 'src/koffi/src/static.js']

/** Bundles the receiver into `dir`, shaped like its npm package, and returns the sources it was made of. */
export async function bundleReceiver(
  { node }: Architecture,
  dir: string,
  cacheDir: string,
): Promise<string[]> {
  mkdirSync(dir, { recursive: true })
  const manifest = { ...packageOf(receiver), type: 'module' }
  writeFileSync(join(dir, 'package.json'), JSON.stringify(manifest))
  const { metafile } = await build({
    entryPoints: [join(receiver, 'src/cli.ts')],
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
  return [...Object.keys(metafile.inputs), join(koffi, 'index.js')]
}
