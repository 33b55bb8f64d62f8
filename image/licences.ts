import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as v from 'valibot'

/** An npm package whose code is in the image. */
export interface BundledPackage {
  readonly name: string
  readonly version: string
  readonly licence: string
}

const MANIFEST = v.object({
  name: v.string(),
  version: v.string(),
  license: v.optional(v.string()),
})
const LICENCE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i

/** Copies the licence texts of the npm packages that `sources` belong to, one file each. */
export function collectNpmLicences(sources: readonly string[], dir: string): BundledPackage[] {
  mkdirSync(dir, { recursive: true })
  const folders = new Set(sources.flatMap((source) => packageFolder(source) ?? []))
  return [...folders].toSorted().map((folder) => {
    const manifest = v.parse(
      MANIFEST,
      JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')),
    )
    for (const file of readdirSync(folder).filter((each) => LICENCE_FILE.test(each))) {
      copyFileSync(join(folder, file), join(dir, `${manifest.name.replaceAll('/', '+')}.${file}`))
    }
    return {
      name: manifest.name,
      version: manifest.version,
      licence: manifest.license ?? 'NOASSERTION',
    }
  })
}

function packageFolder(source: string): string | undefined {
  const match = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(resolve(source))
  return match?.[0]
}
