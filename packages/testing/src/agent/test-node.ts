import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { Agent, s3Settings } from './agent.ts'
import { Containerd } from '../containerd/containerd.ts'
import { composersOf, type Composer } from '../processes.ts'
import { BundleCollector } from '../bundle/bundle-collector.ts'
import { coreSysctls, withKernel } from '../kernel/kernel.ts'
import type { ObjectStore } from '../store/object-store.ts'
import { startVersitygw } from '../store/versitygw.ts'
import { until } from '../until.ts'

export interface NodeOptions {
  readonly store: ObjectStore
  readonly containerd?: Containerd
  /** Further settings of the agent. */
  readonly env?: Readonly<Record<string, string>>
}

/** A node with the agent: this machine's kernel, a store, and optionally a container runtime. */
export class TestNode {
  readonly agent: Agent
  readonly bundles: BundleCollector
  #composerLog = ''

  constructor({ store, containerd, env }: NodeOptions) {
    this.agent = new Agent({
      ...s3Settings(store),
      USE_INOTIFY: 'true',
      ...(containerd && { CRIO_ENDPOINT: `unix://${containerd.socket}` }),
      ...env,
    })
    this.bundles = new BundleCollector(store, join(this.agent.directory, 'bundles'))
  }

  /**
   * Start the agent, and once the kernel runs its composer, crash programs in `task`; then
   * `remove` restores the node. For seconds only: all crashes of the machine come here meanwhile.
   */
  async prepared<T>(task: () => Promise<T>): Promise<T> {
    const result = await this.#withAgent(task)
    await this.bundles.test()
    return result
  }

  async #withAgent<T>(task: () => Promise<T>): Promise<T> {
    return withKernel(async (before) => {
      try {
        await this.agent.start()
        const result = await task()
        this.#composerLog = readIfThere(join(this.agent.hostDir, 'composer.log'))
        expect(await this.agent.command('remove')).toMatchObject({ code: 0 })
        expect(coreSysctls()).toEqual(before)
        return result
      } catch (error) {
        throw new Error(
          `the agent logged:\n${this.agent.output}\n${readIfThere(join(this.agent.hostDir, 'composer.log'))}`,
          {
            cause: error,
          },
        )
      } finally {
        // when `remove` has failed, no crash may start a composer without its agent
        await this.agent.daemon.stop()
      }
    })
  }

  /** Running composers, by the arguments that the kernel gave them. */
  composers(): Composer[] {
    return composersOf(this.agent.hostDir)
  }

  /** The composers' log when the node was restored. */
  get composerLog(): string {
    return this.#composerLog
  }

  async dispose(): Promise<void> {
    await until('composers have ended', () => this.composers().length === 0)
    await this.agent.dispose()
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

export interface StoreAndRuntime {
  readonly store: ObjectStore
  readonly containerd: Containerd
}

/** A store and the newest containerd, shared by the tests of a group. */
export function storeAndRuntime(): StoreAndRuntime {
  let store: ObjectStore | undefined
  let containerd: Containerd | undefined
  beforeAll(async () => {
    store = await startVersitygw()
    containerd = await new Containerd('2').start()
  })
  afterAll(async () => {
    await containerd?.stop()
    await store?.stop()
  })
  return {
    get store() {
      return started(store)
    },
    get containerd() {
      return started(containerd)
    },
  }
}

function started<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('used before the hooks of the group have run')
  return part
}
