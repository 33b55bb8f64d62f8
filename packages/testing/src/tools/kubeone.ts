import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { goBuild, goEnv, moduleDir } from './go.ts'
import type { Workshop } from './tool.ts'

/** The last minor whose kubelet takes a runtime without RuntimeConfig (containerd 1.6) and cgroup v1. */
export const KUBERNETES = '1.37.2'

const MAIN = new URL('./kubeone.go', import.meta.url).pathname

/** etcd, the API server, controller manager, scheduler, kubelet and kubectl linked into one static program. */
export async function makeKubeone(shop: Workshop): Promise<void> {
  await goBuild(shop, {
    name: 'kubeone',
    pkg: '.',
    ldflags: versionFlags(),
    module: async (dir, go) => {
      const source = await moduleDir(go, `k8s.io/kubernetes@v${KUBERNETES}`, shop)
      await writeFile(join(dir, 'go.mod'), goMod(await readFile(join(source, 'go.mod'), 'utf8')))
      await copyFile(MAIN, join(dir, 'main.go'))
      await execa(go, ['mod', 'tidy'], { cwd: dir, env: goEnv({ GOFLAGS: '' }) })
    },
  })
}

/** Kubernetes requires its staging modules at v0.0.0 and replaces them by folders; published, they are v0.x.y. */
function goMod(theirs: string): string {
  const staging = [...theirs.matchAll(/^\t(k8s\.io\/[\w-]+) => \.\/staging\//gm)].map(
    ([, name]) => name!,
  )
  return [
    'module kubeone',
    /^go .+$/m.exec(theirs)?.[0] ?? '',
    `require k8s.io/kubernetes v${KUBERNETES}`,
    ...staging.map((name) => `replace ${name} => ${name} v0.${KUBERNETES.slice(2)}`),
    '',
  ].join('\n')
}

// without these every component calls itself v0.0.0-master and refuses to speak to the others
function versionFlags(): string {
  const [major, minor] = KUBERNETES.split('.')
  const values = {
    gitVersion: `v${KUBERNETES}`,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'archive',
    gitCommit: '0'.repeat(40),
    buildDate: '2026-01-01T00:00:00Z',
  }
  return ['k8s.io/client-go/pkg/version', 'k8s.io/component-base/version']
    .flatMap((pkg) => Object.entries(values).map(([name, value]) => `-X ${pkg}.${name}=${value}`))
    .join(' ')
}
