import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execaSync } from 'execa'
import * as v from 'valibot'
import type { Architecture } from './architecture.ts'
import { fail } from './fail.ts'

const repository = new URL('../../', import.meta.url).pathname
const LOCKFILE = v.object({
  packages: v.record(v.string(), v.object({ integrity: v.optional(v.string()) })),
})
const PACKED = v.tuple([v.object({ filename: v.string(), integrity: v.string() })])

/** The Node that ships: name, version and integrity are in package.json and package-lock.json. */
export interface ShippedNode {
  readonly name: string
  readonly version: string
  readonly binary: string
  readonly licence: string
}

/** The locked Node for `architecture`: from node_modules, or packed by npm for another one. */
export function nodeBinary({ node }: Architecture, cacheDir: string): ShippedNode {
  const name = `node-linux-${node}`
  const { optionalDependencies } = readJson(
    'package.json',
    v.object({ optionalDependencies: v.record(v.string(), v.string()) }),
  )
  const version = optionalDependencies[name] ?? fail(`package.json names no \`${name}\``)
  const installed = join(repository, 'node_modules', name)
  const folder = existsSync(join(installed, 'bin/node'))
    ? installed
    : packed(name, version, cacheDir)
  return { name, version, binary: join(folder, 'bin/node'), licence: join(folder, 'LICENSE') }
}

function packed(name: string, version: string, cacheDir: string): string {
  const folder = join(cacheDir, `${name}-${version}`)
  if (!existsSync(join(folder, 'package.json'))) {
    // an install from the lock file checks the integrity that is recorded there
    mkdirSync(folder, { recursive: true })
    const { packages } = readJson('package-lock.json', LOCKFILE)
    const { stdout } = execaSync('npm', ['pack', '--json', `${name}@${version}`], { cwd: folder })
    const [pack] = v.parse(PACKED, JSON.parse(stdout))
    const locked = packages[`node_modules/${name}`]?.integrity
    if (pack.integrity !== locked) {
      fail(`${name}@${version} has integrity ${pack.integrity}, package-lock.json has ${locked}`)
    }
    execaSync('tar', ['-xzf', pack.filename, '--strip-components=1'], { cwd: folder })
  }
  return folder
}

function readJson<T extends v.GenericSchema>(file: string, schema: T): v.InferOutput<T> {
  return v.parse(schema, JSON.parse(readFileSync(join(repository, file), 'utf8')))
}
