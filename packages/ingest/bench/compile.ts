import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { koffiModule } from '@core-dump-handler/ingest'
import { build } from 'esbuild'

const HERE = import.meta.dirname
const COMPOSER = join(HERE, '../../../apps/composer/dist/cdc.cjs')

/** Compiles a C program of this directory. */
export function compile(dir: string, name: string): string {
  const program = join(dir, name)
  const source = join(HERE, `${name}.c`)
  execFileSync('cc', ['-O2', '-w', '-o', program, source], { stdio: 'inherit' })
  return program
}

/** The drain process as one file of JavaScript, as the composer is installed on a node. */
export async function bundle(dir: string): Promise<string> {
  const outfile = join(dir, 'drain-process.mjs')
  await build({
    entryPoints: [join(HERE, 'drain-process.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@core-dump-handler/source'],
  })
  return outfile
}

/** The composer in a directory of its own, as the agent installs it; undefined where it is not built. */
export function installComposer(dir: string): string | undefined {
  if (!existsSync(COMPOSER)) return undefined
  const program = join(dir, 'cdc')
  const text = readFileSync(COMPOSER, 'utf8').replace(/^#!.*\n/, '')
  copyFileSync(koffiModule() ?? '', join(dir, 'koffi.node'))
  writeFileSync(program, `#!${process.execPath}\n${text}`, { mode: 0o700 })
  return program
}
