import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  type CrashFacts,
  type LookupOptions,
  type LookupResult,
  type LookupSubject,
  openRuntime,
  type Runtime,
  snapshotProcess,
  startLookup,
} from '@core-dump-handler/cri'
import { expect } from 'vitest'
import { test as base } from '../scratch.ts'
import { type FakeContainer, type FakeRuntime, serveCri } from './cri-server.ts'
import { BOOT_TIME, type FakeProcess, fakeProc } from './fake-proc.ts'

export const WEB = 'a'.repeat(64)
export const DB = 'b'.repeat(64)
export const OUTER = 'c'.repeat(64)
export const PAUSE = 'd'.repeat(64)
export const PAUSE_DB = 'e'.repeat(64)
export const UID = '0f2b5c1e-9d3a-4e7b-8c6d-1a2b3c4d5e6f'
export const UID_DB = '11111111-2222-3333-4444-555555555555'
export const CGROUP = `0::/kubepods/burstable/pod${UID}/${WEB}\n`
export const CRASH: CrashFacts = { timestamp: BOOT_TIME + 200, pid: 1, uid: 1000, gid: 1000 }

/** A procfs with the crashed process 42, and a runtime with the pods `web` and `db`. */
export interface FakeNode {
  readonly dir: string
  /** Names of the CRI methods called. */
  readonly calls: readonly string[]
  readonly runtime: Runtime
  subject(process?: Partial<FakeProcess>, crash?: CrashFacts): LookupSubject
  /** A whole lookup, and the log of the container that crashed. */
  find(subject: LookupSubject, options?: LookupOptions): Promise<LookupResult & { log?: string }>
}

export const web: FakeContainer = {
  id: WEB,
  sandboxId: PAUSE,
  name: 'main',
  attempt: 2,
  image: 'test.local/web:1',
  imageRef: 'sha256:1111',
}

export const SIDECAR = 'f'.repeat(64)

const RUNTIME: FakeRuntime = {
  containers: [
    web,
    { id: DB, sandboxId: PAUSE_DB, name: 'db', image: 'db:1' },
    { id: SIDECAR, sandboxId: PAUSE, name: 'sidecar', image: 'web:1', logPath: '/nowhere/0.log' },
    { id: '0'.repeat(64), sandboxId: PAUSE, name: 'init', state: 2 },
  ],
  sandboxes: [
    { id: PAUSE, name: 'web', namespace: 'shop', uid: UID, info: { pid: 5 } },
    { id: PAUSE_DB, name: 'db', namespace: 'shop', uid: UID_DB },
  ],
  images: [{ id: 'sha256:1111', repoTags: ['test.local/web:1'], repoDigests: [], size: 1 }],
}

interface Fixtures {
  /** Replaces parts of what the runtime knows. */
  known: Partial<FakeRuntime>
  callTimeoutMs: number
  node: FakeNode
}

export const test = base.extend<Fixtures>({
  known: {},
  callTimeoutMs: 5000,
  node: async ({ dir, known, callTimeoutMs }, use) => {
    const logPath = join(dir, 'pods/shop_web_uid/main/2.log')
    mkdirSync(dirname(logPath), { recursive: true })
    writeFileSync(logPath, '2026-11-23T05:57:01.1Z stderr F last words\n')
    const socket = join(dir, 's')
    const all = { ...RUNTIME, ...known }
    const server = await serveCri(socket, {
      ...all,
      containers: all.containers.map((one) => (one.id === WEB ? { ...one, logPath } : one)),
    })
    const runtime = await openRuntime({ endpoint: socket, client: 'grpc', callTimeoutMs })
    const subject = (
      process: Partial<FakeProcess> = {},
      crash: CrashFacts = CRASH,
    ): LookupSubject => {
      const proc = join(dir, 'proc')
      rmSync(proc, { recursive: true, force: true })
      fakeProc(proc, { pid: 42, cgroup: CGROUP, pidfdNames: 42, ...process })
      const snapshot = snapshotProcess(42, { root: proc, pidfd: 3, includeFiles: ['auxv'] })
      return { snapshot, crash, hostname: 'another' }
    }
    const find: FakeNode['find'] = async (subjectOfLookup, options) => {
      const search = startLookup(subjectOfLookup, runtime, {
        procRoot: join(dir, 'proc'),
        ...options,
      })
      const result = await search.result
      expect(result).toMatchObject(await search.identified)
      const crashed = result.containers.find((one) => one.crashed)
      const log = await crashed?.readLog().then(({ bytes }) => bytes.toString())
      await search.close()
      return log === undefined ? result : { ...result, log }
    }
    await use({ dir, calls: server.calls, runtime, subject, find })
    runtime.close()
    server.close()
  },
})
