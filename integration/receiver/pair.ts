import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'
import { expect, onTestFinished } from 'vitest'
import { readManifest } from '@core-dump-handler/bundle'
import { Agent } from '@core-dump-handler/testing/agent/agent'
import type { Crash } from '@core-dump-handler/testing/kernel/crash-loop'
import { coreSysctls, withKernel } from '@core-dump-handler/testing/kernel/kernel'
import { composersOf } from '@core-dump-handler/testing/processes'
import { TestReceiver } from '@core-dump-handler/testing/receiver/receiver'
import { until } from '@core-dump-handler/testing/until'

/** The receiver publishes its last bundles. */
const SETTLE_MS = 1000
const LOST = v.object({ pids: v.array(v.number()) })

/** What became of crashes. */
export interface Outcomes {
  /** Bundles by entry, and those that are not complete. */
  readonly socket: number
  readonly pipe: number
  readonly unfinished: number
  /** Crashes without a bundle. */
  readonly lost: readonly Crash[]
  /** Those of `lost` that the agent did not record. */
  readonly silent: readonly Crash[]
}

/** Settings beside those of every pair. */
export interface PairSettings {
  readonly agent?: Readonly<Record<string, string>>
  readonly receiver?: Readonly<Record<string, string>>
}

/** An agent and a receiver of one node, while the kernel connects to the receiver. */
export class Pair {
  readonly agent: Agent
  readonly receiver: TestReceiver

  constructor(settings: PairSettings = {}) {
    this.agent = new Agent({
      RECEIVER_MODE: 'required',
      COMP_RATE_CRASHES: '0',
      COMP_IGNORE_CRIO: 'true',
      ...settings.agent,
    })
    this.receiver = new TestReceiver({ ...settings.receiver }, this.agent)
  }

  get pattern(): string {
    return coreSysctls()['kernel.core_pattern']
  }

  async start(): Promise<void> {
    await this.receiver.start()
    await this.agent.start()
    await this.usesSocket()
  }

  async usesSocket(): Promise<void> {
    await until('the kernel connects to the receiver', () => this.pattern === this.receiver.pattern)
  }

  /** Milliseconds until the composer is the handler again. */
  async fallsBack(timeoutMs = 5000): Promise<number> {
    const startedMs = performance.now()
    while (this.pattern === this.receiver.pattern) {
      if (performance.now() - startedMs > timeoutMs) throw new Error(this.pattern)
      await sleep(1)
    }
    expect(this.pattern).toMatch(new RegExp(`^\\|${this.agent.hostDir}/cdc `))
    return performance.now() - startedMs
  }

  /** Processes whose crashes the agent has recorded as lost with a receiver. */
  get recordedPids(): ReadonlySet<number> {
    const log = readFileSync(join(this.agent.directory, 'agent.log'), 'utf8')
    const lines = log.split('\n').filter((line) => line.includes('"RECEIVER_ENDED"'))
    return new Set(lines.flatMap((line) => v.parse(LOST, JSON.parse(line)).pids))
  }

  async outcomesOf(crashes: readonly Crash[]): Promise<Outcomes> {
    const { coreDir, hostDir } = this.agent
    await until('the composers have ended', () => composersOf(hostDir).length === 0)
    await sleep(SETTLE_MS)
    const missing = new Map(crashes.map((crash) => [crash.pid, crash]))
    const counts = { socket: 0, pipe: 0, unfinished: 0 }
    for (const name of readdirSync(coreDir)) {
      // what a killed writer has begun, and the agent salvages
      const isPart = name.endsWith('.part')
      const manifest = isPart ? undefined : await readManifest(join(coreDir, name))
      if (!missing.delete(manifest?.crash.hostPid ?? pidIn(name))) continue
      counts[manifest?.core.complete === true ? (manifest.entry ?? 'unfinished') : 'unfinished']++
    }
    const lost = [...missing.values()]
    const recorded = this.recordedPids
    return { ...counts, lost, silent: lost.filter(({ pid }) => !recorded.has(pid)) }
  }

  async dispose(): Promise<void> {
    await this.receiver.dispose()
    await this.agent.dispose()
  }
}

/** Runs `task` on a pair; the node is restored at its end. */
export async function withPair(
  task: (pair: Pair) => Promise<void>,
  settings?: PairSettings,
): Promise<Pair> {
  const pair = new Pair(settings)
  onTestFinished(() => pair.dispose())
  await withKernel(async () => {
    const deadline = setTimeout(() => pair.receiver.kill(), 90_000)
    try {
      await pair.start()
      await task(pair)
    } catch (error) {
      process.stderr.write(`${pair.agent.output}\n${pair.receiver.output}\n`)
      throw error
    } finally {
      clearTimeout(deadline)
      await pair.agent.command('remove')
    }
    expect(pair.pattern).toBe('core')
  })
  return pair
}

/** Of the unfinished file of a killed writer, or of the record of an empty one, by the default name. */
export function pidIn(name: string): number {
  return Number(/-(\d+)-\d+\.zip(\.part)?$/.exec(name)?.[1])
}
