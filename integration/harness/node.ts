import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Agent, s3Settings } from './agent.ts'
import type { Containerd } from './containerd.ts'
import { composersOf, type Composer } from './composers.ts'
import { Inbox } from './inbox.ts'
import { coreSysctls, withKernel } from './kernel.ts'
import type { ObjectStore } from './object-store.ts'
import { until } from './until.ts'

export interface NodeOptions {
  readonly store: ObjectStore
  readonly containerd?: Containerd
  /** Further settings of the agent. */
  readonly env?: Readonly<Record<string, string>>
}

/** A node with the agent on it: this machine's kernel, a store, and maybe a container runtime. */
export class TestNode {
  readonly agent: Agent
  readonly inbox: Inbox
  #composerLog = ''

  constructor({ store, containerd, env }: NodeOptions) {
    this.agent = new Agent({
      ...s3Settings(store),
      USE_INOTIFY: 'true',
      ...(containerd && { CRIO_ENDPOINT: `unix://${containerd.socket}` }),
      ...env,
    })
    this.inbox = new Inbox(store, join(this.agent.directory, 'inbox'))
  }

  /**
   * Start the agent, and once the kernel runs its composer, crash something in `task`; then have
   * `remove` give the node back. For seconds only: the whole machine's crashes come here meanwhile.
   */
  async prepared<T>(task: () => Promise<T>): Promise<T> {
    const result = await this.#withAgent(task)
    await this.inbox.test()
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
          `with the agent saying:\n${this.agent.output}\n${readIfThere(join(this.agent.hostDir, 'composer.log'))}`,
          {
            cause: error,
          },
        )
      } finally {
        // should `remove` have failed, no crash may find a composer without its agent
        await this.agent.daemon.stop()
      }
    })
  }

  /** Composers at work, by what the kernel called them with. */
  composers(): Composer[] {
    return composersOf(this.agent.hostDir)
  }

  /** What composers had logged when the node was given back. */
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
