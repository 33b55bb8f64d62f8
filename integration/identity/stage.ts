import { join } from 'node:path'
import type { BundleManifest } from '@core-dump-handler/bundle'
import type { CoreEntry } from '@core-dump-handler/testing/bench/entries'
import { Containerd } from '@core-dump-handler/testing/containerd/containerd'
import type { PodSpec } from '@core-dump-handler/testing/containerd/pod'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import { Catcher, type CatchOptions } from './catcher.ts'
import type { Scene } from './crashes.ts'
import { PausableRuntime } from './pausable-runtime.ts'
import { removeInner, startHomes, type Home } from './pods.ts'

/** A containerd with pods whose processes crash on demand, and a composer that the kernel runs meanwhile. */
export class Stage {
  readonly directory: string = scratchDirectory()
  readonly containerd: Containerd = new Containerd('2')
  /** The socket that composers use. */
  readonly runtime: PausableRuntime = new PausableRuntime(
    join(this.directory, 'cri.sock'),
    this.containerd.socket,
  )
  readonly catcher: Catcher
  readonly #entry: CoreEntry
  #homes: readonly Home[] = []

  private constructor(entry: CoreEntry) {
    this.#entry = entry
    const env = {
      CRIO_ENDPOINT: `unix://${this.runtime.socket}`,
      // neither a busy machine nor many crashes of one image may change an identity
      CRI_CALL_TIMEOUT_MS: '30000',
      CRI_TOTAL_TIMEOUT_MS: '60000',
      RATE_CRASHES: '0',
    }
    this.catcher = new Catcher(env, entry)
  }

  /** With the pods of `specs`, or with 24 whose names repeat. */
  static async start(
    specs?: readonly Omit<PodSpec, 'containers'>[],
    entry: CoreEntry = 'pipe',
  ): Promise<Stage> {
    const stage = new Stage(entry)
    try {
      await stage.containerd.start()
      await stage.runtime.listen()
      stage.#homes = await startHomes(stage.containerd, stage.directory, specs)
      await stage.catcher.deploy()
      return stage
    } catch (error) {
      await stage.stop()
      throw error
    }
  }

  get homes(): readonly Home[] {
    return this.#homes
  }

  /** The first container of the pod of that name. */
  home(name: string): Home {
    const found = this.#homes.find(({ pod }) => pod.name === name)
    if (!found) throw new Error(`no pod ${name}`)
    return found
  }

  scene(restarts = false): Scene {
    const { containerd, homes, directory, runtime } = this
    const { hostDir } = this.catcher.agent
    return {
      containerd,
      homes,
      directory,
      hostDir,
      entry: this.#entry,
      runtime,
      restarts,
      passing: [],
    }
  }

  /** Collect the crashes of one process of this machine, or of two that had its pid. */
  catchOf(
    hostPid: number,
    make: () => Promise<void>,
    count = 1,
    options?: CatchOptions,
  ): Promise<BundleManifest[]> {
    const isOurs = ({ crash }: BundleManifest): boolean => crash.hostPid === hostPid
    return this.catcher.catch(make, isOurs, count, options)
  }

  /** Remove the cgroups that crashes created inside those of the pods. */
  sweep(): void {
    this.#homes.forEach(removeInner)
  }

  async stop(): Promise<void> {
    await this.catcher.dispose()
    this.sweep()
    for (const pod of new Set(this.#homes.map((home) => home.pod))) await pod.remove()
    this.runtime.close()
    await this.containerd.stop()
    removeScratch(this.directory)
  }
}
