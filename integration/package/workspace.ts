import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as v from 'valibot'
import { ROOT } from '../../scripts/set-up/root.mjs'

/** A package of this repository that is published. */
export interface Published {
  /** Name in package.json, with the scope. */
  readonly name: string
  readonly dir: string
  /** What `npm pack` calls its tarball. */
  readonly tarball: string
  /** Programs it installs. */
  readonly bins: readonly string[]
  /** The first TypeScript example of its README. */
  readonly example: string
}

const MANIFEST = v.object({
  name: v.string(),
  version: v.string(),
  private: v.optional(v.boolean()),
  bin: v.optional(v.record(v.string(), v.string())),
})

/** Every published package, in the order of their folders. */
export const PUBLISHED: readonly Published[] = globSync('{packages,apps}/*/package.json', {
  cwd: ROOT,
})
  .toSorted()
  .map((path) => join(ROOT, path))
  .map((path) => ({
    dir: dirname(path),
    ...v.parse(MANIFEST, JSON.parse(readFileSync(path, 'utf8'))),
  }))
  .filter((manifest) => manifest.private !== true)
  .map(({ name, version, bin, dir }) => ({
    name,
    dir,
    tarball: `${name.replace('@', '').replace('/', '-')}-${version}.tgz`,
    bins: Object.keys(bin ?? {}),
    example: firstExample(join(dir, 'README.md')),
  }))

function firstExample(readme: string): string {
  try {
    return /^```ts\n(.*?)^```$/ms.exec(readFileSync(readme, 'utf8'))?.[1] ?? ''
  } catch {
    return ''
  }
}
