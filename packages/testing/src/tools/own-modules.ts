import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { goBuild, goEnv, moduleDir } from './go.ts'
import type { Workshop } from './tool.ts'

const HELM_UNITTEST = 'github.com/helm-unittest/helm-unittest'
const VERSION = 'v1.1.2'

/** Its go.mod has a replace line, which `go install` refuses in a dependency: so a module of our own repeats it. */
export async function makeHelmUnittest(shop: Workshop): Promise<void> {
  const pkg = `${HELM_UNITTEST}/cmd/helm-unittest`
  await goBuild(shop, {
    name: 'helm-unittest',
    pkg,
    module: async (dir, go) => {
      const theirs = await readFile(
        join(await moduleDir(go, `${HELM_UNITTEST}@${VERSION}`, shop), 'go.mod'),
        'utf8',
      )
      const kept = theirs.split('\n').filter((line) => /^(go|replace) /.test(line))
      await writeFile(join(dir, 'go.mod'), ['module unittest', ...kept, ''].join('\n'))
      await execa(go, ['get', '-tool', `${pkg}@${VERSION}`], { cwd: dir, env: goEnv() })
    },
  })
}

const S5CMD = 'github.com/peak/s5cmd/v2'

/** Through a module of our own: `go install` asks for the module's whole list of versions, which fails behind some proxies. */
export async function makeS5cmd(shop: Workshop): Promise<void> {
  await goBuild(shop, {
    name: 's5cmd',
    pkg: S5CMD,
    ldflags: `-X ${S5CMD}/version.Version=v2.3.0`,
    module: (dir) =>
      writeFile(join(dir, 'go.mod'), `module s5cmd\ngo 1.24\nrequire ${S5CMD} v2.3.0\n`),
  })
}
