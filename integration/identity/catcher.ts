import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { manifestOf } from '@core-dump-handler/testing/bundle/bundle'
import type { BundleManifest } from '@core-dump-handler/bundle'
import jszip from 'jszip'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import type { CoreEntry } from '@core-dump-handler/testing/bench/entries'
import { TestReceiver } from '@core-dump-handler/testing/receiver/receiver'
import { composersOf } from '@core-dump-handler/testing/processes'
import { setCoreSysctl, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { until } from '@core-dump-handler/testing/until'

export interface CatchOptions {
  readonly limitMs?: number
  /** Whether the kernel passes a pidfd (`%F`), which old ones do not. @default true */
  readonly pidfd?: boolean
}

/** The deployed composer, or a receiver beside it; the kernel uses it for one batch of crashes at a time. */
export class Catcher {
  readonly agent: Agent
  readonly #receiver: TestReceiver | undefined

  constructor(env: Readonly<Record<string, string>>, entry: CoreEntry) {
    this.agent = new Agent({ UPLOAD: 'false', ...env }).spareKernel()
    this.#receiver = entry === 'socket' ? new TestReceiver({}, this.agent) : undefined
  }

  /** Deploy the composer. No agent runs after that: bundles are read from the composers' directory. */
  async deploy(): Promise<void> {
    await this.agent.start()
    await this.agent.daemon.stop()
    await this.#receiver?.start()
  }

  /**
   * Lock the kernel while `task` crashes processes and until `count` bundles exist; returns
   * fewer when the others do not exist within `limitMs`.
   */
  async catch(
    task: () => Promise<void>,
    isOurs: (manifest: BundleManifest) => boolean,
    count: number,
    { limitMs = 60_000, pidfd = true }: CatchOptions = {},
  ): Promise<BundleManifest[]> {
    const caught: BundleManifest[] = []
    await withKernel(async () => {
      setCoreSysctl('kernel.core_pipe_limit', '128')
      setCoreSysctl(
        'kernel.core_pattern',
        pidfd ? this.#pattern : this.#pattern.replace(/ -F=\S+/, ''),
      )
      // a receiver that hangs would hold every process of the machine that crashes
      const deadline = setTimeout(() => this.#receiver?.kill(), 2 * limitMs)
      try {
        await task()
        for (const end = performance.now() + limitMs; performance.now() < end; await sleep(20)) {
          caught.push(...(await this.#newManifests()).filter(isOurs))
          if (caught.length >= count) break
        }
      } finally {
        clearTimeout(deadline)
      }
    })
    return caught
  }

  /** Bundles that were not read yet. */
  get waiting(): number {
    return readdirSync(this.agent.coreDir).filter(isBundle).length
  }

  async dispose(): Promise<void> {
    await this.#receiver?.dispose()
    await until('composers have ended', () => composersOf(this.agent.hostDir).length === 0, 60_000)
    await this.agent.dispose()
  }

  get #pattern(): string {
    if (this.#receiver !== undefined) return this.#receiver.pattern
    return readFileSync(join(this.agent.directory, 'sysctl/kernel/core_pattern'), 'utf8').trimEnd()
  }

  async #newManifests(): Promise<BundleManifest[]> {
    const manifests: BundleManifest[] = []
    for (const name of readdirSync(this.agent.coreDir).filter(isBundle)) {
      const path = join(this.agent.coreDir, name)
      const zip = await jszip.loadAsync(readFileSync(path))
      const text = await zip.file(/-manifest\.json$/)[0]?.async('string')
      manifests.push(manifestOf(text ?? ''))
      rmSync(path)
    }
    return manifests
  }
}

const isBundle = (name: string): boolean => !name.startsWith('.') && name.endsWith('.zip')
