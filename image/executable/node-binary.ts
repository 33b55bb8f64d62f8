import { createRequire } from 'node:module'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Architecture } from './architecture.ts'
import { fail } from './fail.ts'
import { run } from './run.ts'

const require = createRequire(import.meta.url)
const repository = new URL('../../', import.meta.url).pathname

/** The Node that ships: name, version and integrity stand in package.json and package-lock.json. */
export interface ShippedNode {
  readonly name: string
  readonly version: string
  readonly binary: string
  readonly licence: string
}

/** The locked Node for `architecture`: from node_modules, or packed by npm for another one. */
export function nodeBinary({ node }: Architecture, cacheDir: string): ShippedNode {
  const name = `node-linux-${node}`
  const { optionalDependencies } = require('../../package.json') as {
    optionalDependencies: Record<string, string>
  }
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
    const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { integrity?: string }>
    }
    const [file = ''] = (
      JSON.parse(run('npm', ['pack', '--json', `${name}@${version}`], { cwd: folder })) as {
        filename: string
        integrity: string
      }[]
    ).map(({ filename, integrity }) => {
      const locked = lock.packages[`node_modules/${name}`]?.integrity
      if (locked !== integrity)
        throw new Error(
          `${name}@${version} has integrity ${integrity}, the lock file has ${locked}`,
        )
      return filename
    })
    run('tar', ['-xzf', file, '--strip-components=1'], { cwd: folder })
  }
  return folder
}
