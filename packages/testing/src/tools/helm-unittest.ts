import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { goBuild, goEnv, moduleDir } from './go.ts'
import type { Workshop } from './tool.ts'

const MODULE = 'github.com/helm-unittest/helm-unittest'
const VERSION = 'v1.1.2'

/** Its go.mod has a replace line, which `go install` refuses in a dependency: so a module of our own repeats it. */
export async function makeHelmUnittest(shop: Workshop): Promise<void> {
  const pkg = `${MODULE}/cmd/helm-unittest`
  await goBuild(shop, {
    name: 'helm-unittest',
    pkg,
    module: async (dir, go) => {
      const theirs = await readFile(
        join(await moduleDir(go, `${MODULE}@${VERSION}`, shop), 'go.mod'),
        'utf8',
      )
      const kept = theirs.split('\n').filter((line) => /^(go|replace) /.test(line))
      await writeFile(join(dir, 'go.mod'), ['module unittest', ...kept, ''].join('\n'))
      await execa(go, ['get', '-tool', `${pkg}@${VERSION}`], { cwd: dir, env: goEnv() })
    },
  })
}
