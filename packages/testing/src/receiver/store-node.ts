import { execFileSync } from 'node:child_process'
import { readdirSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type BundleManifest, readManifest } from '@core-dump-handler/bundle'
import { expect, onTestFinished } from 'vitest'
import { Agent, s3Settings } from '../agent/agent.ts'
import { setCoreSysctl, withKernel } from '../kernel/kernel.ts'
import type { Versitygw } from '../store/versitygw.ts'
import { until } from '../until.ts'
import { TestReceiver } from './receiver.ts'

/** Of a multipart upload, by default. */
const PART_BYTES = 8 * 2 ** 20
/** A hung receiver holds every process of the machine that crashes. */
const DEADLINE_MS = 150_000

/** Compares the CRC of every entry of the files that are its arguments. */
const TEST_ALL = `
import sys, zipfile
for path in sys.argv[1:]:
    bad = zipfile.ZipFile(path).testzip()
    if bad: sys.exit(f'{path}: {bad} is damaged')
`

export interface StoreNodeOptions {
  /** Size of the disk of CORE_DIR. */
  readonly diskMib: number
  readonly endpoint?: string
  readonly env?: Readonly<Record<string, string>>
}

/** A node with a small disk: a receiver that knows the store, and an agent, which is not started. */
export class StoreNode {
  readonly agent: Agent
  readonly receiver: TestReceiver
  readonly store: Versitygw

  constructor(
    store: Versitygw,
    { diskMib, endpoint = store.endpoint, env = {} }: StoreNodeOptions,
  ) {
    this.store = store
    const account = s3Settings({ ...store, endpoint })
    this.agent = new Agent({ ...account, USE_INOTIFY: 'true' }).spareKernel()
    const size = `size=${diskMib}m`
    execFileSync('mount', ['-t', 'tmpfs', '-o', size, 'none', this.agent.coreDir])
    const variables = {
      STRAIGHT_TO_STORE: 'auto',
      CORE_DIR: this.agent.coreDir,
      RATE_CRASHES: '0',
      IGNORE_CRIO: 'true',
      ...account,
      ...env,
    }
    this.receiver = new TestReceiver(variables, this.agent)
    onTestFinished(async () => {
      await this.receiver.dispose()
      await this.agent.dispose()
    })
  }

  get files(): string[] {
    return readdirSync(this.agent.coreDir)
  }

  /** Bytes of the disk that are in use. */
  get usedBytes(): number {
    const { blocks, bfree, bsize } = statfsSync(this.agent.coreDir)
    return (blocks - bfree) * bsize
  }

  /** The unfinished bundle, once the store has a part of it that the disk has not. */
  async freed(): Promise<void> {
    await until(
      'a part is freed',
      () => {
        const part = this.files.find((name) => name.endsWith('.part'))
        if (part === undefined) return false
        const { size, blocks } = statSync(join(this.agent.coreDir, part))
        return size - blocks * 512 >= PART_BYTES
      },
      60_000,
    )
  }

  /** The bundle on the disk, once it is published. */
  async published(): Promise<{ path: string; manifest: BundleManifest | undefined }> {
    const name = await until('a bundle', () => this.files.find(isBundle), 60_000)
    const path = join(this.agent.coreDir, name)
    return { path, manifest: await readManifest(path) }
  }

  /** The objects, once there are so many, read by Python and with their manifests; nothing else is left. */
  async stored(count: number): Promise<BundleManifest[]> {
    await until(
      `${count} objects`,
      async () =>
        (await this.store.keys()).length >= count &&
        !this.files.some((name) => name.endsWith('.zip')),
      90_000,
    ).catch((cause: unknown) => {
      throw new Error(`${this.files.join('\n')}\n${this.receiver.output}\n${this.agent.output}`, {
        cause,
      })
    })
    expect(await this.store.uploads()).toEqual([])
    expect(this.files).toEqual([])
    const paths = (await this.store.keys()).map((key) => join(this.store.folder, key))
    // four times as fast as Info-ZIP, which a core of 4 GiB keeps for 20 s
    execFileSync('python3', ['-c', TEST_ALL, ...paths])
    return Promise.all(
      paths.map(async (path) => {
        const manifest = await readManifest(path)
        if (manifest === undefined) throw new Error(`${path} has no manifest`)
        return manifest
      }),
    )
  }

  /** Starts the receiver, whose socket is the pattern while `task` runs. */
  async during(task: () => Promise<void>): Promise<void> {
    await this.receiver.start()
    await withKernel(async () => {
      const deadline = setTimeout(() => this.receiver.kill(), DEADLINE_MS)
      try {
        setCoreSysctl('kernel.core_pattern', this.receiver.pattern)
        await task()
      } finally {
        clearTimeout(deadline)
      }
    })
  }
}

function isBundle(name: string): boolean {
  return /^[^.].*\.zip$/.test(name)
}
