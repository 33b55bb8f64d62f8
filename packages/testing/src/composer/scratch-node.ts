import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type CrictlPod, crictlOfPod } from '../cri/crictl-pod.ts'
import type { FakeCrictl } from '../cri/fake-crictl.ts'
import { elfCore } from './elf-core.ts'
import { type Ended, type Running, startComposer, test as base } from './run-composer.ts'

export const CORE = elfCore(200_000)

const ARGS = ['-c=0', '-e=web', '-p=1', '-s=6', '-t=1700000000', '-h=web-1', '-E=!usr!bin!web']

/** The pod of the crictl in the composer's home. */
export const WEB_POD: CrictlPod = {
  name: 'web-1',
  namespace: 'shop',
  uid: '3d2c1b0a-1111-4222-8333-444455556666',
  containerId: 'c3'.repeat(32),
  container: 'main',
  pid: 117,
}

export interface ScratchNode {
  readonly crictl: FakeCrictl
  readonly home: string
  readonly cores: string
  start(env?: Record<string, string>, more?: string[]): Running
  run(env?: Record<string, string>): Promise<Ended>
}

// a node as the agent prepares it, with a crictl in the composer's home
export const test = base.extend<{ node: ScratchNode }>({
  node: async ({ dir }, use) => {
    const home = join(dir, 'home')
    const cores = join(dir, 'cores')
    await mkdir(home)
    const crictl = crictlOfPod(home, WEB_POD)
    const settings = { COMPOSER_HOME: home, CORE_DIR: cores, CRI_CLIENT: 'crictl' }
    const start = (env: Record<string, string> = {}, more: string[] = []): Running =>
      startComposer({ args: [...ARGS, ...more], env: { ...settings, ...env }, core: CORE })
    await use({ crictl, home, cores, start, run: (env) => start(env).ended })
  },
})
