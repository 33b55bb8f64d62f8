import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { BundleManifest } from '@core-dump-handler/composer'
import jszip from 'jszip'
import { Agent } from '../harness/agent.ts'
import { composersOf } from '../harness/composers.ts'
import { setCoreSysctl, withKernel } from '../harness/kernel.ts'
import { until } from '../harness/until.ts'

/** The composer as an agent deploys it, with the kernel pointed at it for one batch of crashes at a time. */
export class Catcher {
  readonly agent: Agent

  constructor(env: Readonly<Record<string, string>>) {
    this.agent = new Agent({ UPLOAD: 'false', ...env }).spareKernel()
  }

  /** Deploy; no agent is needed after that, what composers make is read from their directory. */
  async deploy(): Promise<void> {
    await this.agent.start()
    await this.agent.daemon.stop()
  }

  /** Have the kernel while `task` makes crashes and until `count` bundles of them are there. */
  async catch(
    task: () => Promise<void>,
    isOurs: (manifest: BundleManifest) => boolean,
    count: number,
  ): Promise<BundleManifest[]> {
    const caught: BundleManifest[] = []
    await withKernel(async () => {
      setCoreSysctl('kernel.core_pipe_limit', '128')
      setCoreSysctl('kernel.core_pattern', this.#pattern)
      await task()
      const limitMs = 240_000
      await until(
        `${count} bundles`,
        async () => {
          caught.push(...(await this.#newManifests()).filter(isOurs))
          return caught.length >= count
        },
        limitMs,
      )
    })
    return caught
  }

  async dispose(): Promise<void> {
    await until('composers have ended', () => composersOf(this.agent.hostDir).length === 0, 60_000)
    await this.agent.dispose()
  }

  get #pattern(): string {
    return readFileSync(join(this.agent.directory, 'sysctl/kernel/core_pattern'), 'utf8').trimEnd()
  }

  async #newManifests(): Promise<BundleManifest[]> {
    const manifests: BundleManifest[] = []
    for (const name of readdirSync(this.agent.coreDir)) {
      if (name.startsWith('.') || !name.endsWith('.zip')) continue
      const path = join(this.agent.coreDir, name)
      const zip = await jszip.loadAsync(readFileSync(path))
      const text = await zip.file(/-manifest\.json$/)[0]?.async('string')
      manifests.push(JSON.parse(text ?? '') as BundleManifest)
      rmSync(path)
    }
    return manifests
  }
}
