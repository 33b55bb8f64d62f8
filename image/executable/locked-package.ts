import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execaSync } from 'execa'
import * as v from 'valibot'
import { fail } from './fail.ts'

const repository = new URL('../../', import.meta.url).pathname
const LOCKFILE = v.object({
  packages: v.record(
    v.string(),
    v.object({ version: v.optional(v.string()), integrity: v.optional(v.string()) }),
  ),
})
const PACKED = v.tuple([v.object({ filename: v.string(), integrity: v.string() })])

/** A package of npm that ships, in the version that package-lock.json has. */
export interface LockedPackage {
  readonly name: string
  readonly version: string
  readonly folder: string
}

/** The locked package `name`: from node_modules, or packed by npm for another architecture. */
export function lockedPackage(name: string, cacheDir: string): LockedPackage {
  const lockfile: unknown = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8'))
  const locked = v.parse(LOCKFILE, lockfile).packages[`node_modules/${name}`]
  const version = locked?.version ?? fail(`package-lock.json has no \`${name}\``)
  const installed = join(repository, 'node_modules', name)
  const isInstalled = existsSync(join(installed, 'package.json'))
  const folder = isInstalled ? installed : packed(name, version, locked?.integrity, cacheDir)
  return { name, version, folder }
}

function packed(
  name: string,
  version: string,
  integrity: string | undefined,
  cacheDir: string,
): string {
  const folder = join(cacheDir, `${name}-${version}`)
  if (!existsSync(join(folder, 'package.json'))) {
    // an install from the lock file checks the integrity that is recorded there
    mkdirSync(folder, { recursive: true })
    const { stdout } = execaSync('npm', ['pack', '--json', `${name}@${version}`], { cwd: folder })
    const [pack] = v.parse(PACKED, JSON.parse(stdout))
    if (pack.integrity !== integrity) {
      fail(`${name}@${version} has integrity ${pack.integrity}, package-lock.json has ${integrity}`)
    }
    execaSync('tar', ['-xzf', pack.filename, '--strip-components=1'], { cwd: folder })
  }
  return folder
}
