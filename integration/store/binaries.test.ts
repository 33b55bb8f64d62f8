import { randomBytes } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Agent } from '@core-dump-handler/testing/agent/agent'
import { TestNode } from '@core-dump-handler/testing/agent/test-node'
import { agentFor, leaveBundle } from '@core-dump-handler/testing/agent/uploading-agent'
import { runCdh } from '@core-dump-handler/testing/cli/run-cdh'
import { elfBinary } from '@core-dump-handler/testing/elf-binary'
import { Containerd } from '@core-dump-handler/testing/containerd/containerd'
import { runPod } from '@core-dump-handler/testing/containerd/pod'
import { runUntilCrash, testProgram } from '@core-dump-handler/testing/kernel/test-program'
import { throttle } from '@core-dump-handler/testing/network/throttle'
import { compile, programSource } from '@core-dump-handler/testing/report/programs'
import { REGION, type ObjectStore } from '@core-dump-handler/testing/store/object-store'
import { startVersitygw } from '@core-dump-handler/testing/store/versitygw'
import { until } from '@core-dump-handler/testing/until'
import { execaSync } from 'execa'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { realParts } from '../real-parts.ts'

const MIB = 1 << 20
const A = 'aa'.repeat(20)
const B = 'bb'.repeat(20)
const LOADER = '/lib64/ld-linux-x86-64.so.2'

realParts('binaries of crashed processes', () => {
  let store: ObjectStore

  beforeEach(async () => {
    store = await startVersitygw()
    return () => store.stop()
  })

  const storedBinaries = async (): Promise<string[]> =>
    (await store.keys()).filter((key) => key.startsWith('binaries/'))

  function prepareNode(env: Readonly<Record<string, string>>): TestNode {
    const node = new TestNode({ store, env: { COMP_LOG_LEVEL: 'Debug', ...env } })
    onTestFinished(() => node.dispose())
    return node
  }

  test('are stored once, and are all that a debugger needs', async () => {
    const node = prepareNode({ COMP_BINARIES: 'true' })
    const program = buildProgram(join(node.agent.directory, 'app'))
    const files = new Map(program.files.map((file) => [buildIdOf(file), readFileSync(file)]))
    const binaries = [...files.keys()].map((id) => `binaries/${id}`).toSorted()
    const bundle = await node.prepared(async () => {
      const first = await runUntilCrash(program.path, ['here'])
      await node.bundles.one(({ manifest }) => manifest.crash.hostPid === first)
      await until('the binaries are stored', async () => {
        return (await storedBinaries()).length === binaries.length && noneWaits(node.agent)
      })
      const second = await runUntilCrash(program.path, ['here'])
      const again = await node.bundles.one(({ manifest }) => manifest.crash.hostPid === second)
      await until('composers have ended', () => node.composers().length === 0)
      return again
    })
    expect(await storedBinaries()).toEqual(binaries)
    for (const [id, content] of files) {
      const copy = join(node.agent.directory, 'copy')
      await store.fetch(`binaries/${id}`, copy)
      expect(readFileSync(copy).equals(content)).toBe(true)
    }
    // the second crash copied nothing
    expect(node.composerLog.match(/Copied binary/g)).toHaveLength(binaries.length)
    expect(noneWaits(node.agent)).toBe(true)
    expect(await store.uploads()).toEqual([])

    // nothing of the program is left on this machine
    rmSync(program.directory, { recursive: true })
    const { uuid } = bundle.manifest
    const args = ['debug', uuid, '--core']
    const found = JSON.parse((await cdh(node, [...args, '--json'])).stdout)
    expect(found.modules).toHaveLength(binaries.length)
    for (const { source } of found.modules) expect(source).toBe('bucket')
    const backtrace = await cdh(node, [...args, '--', '-nx', '-batch', '-ex', 'bt'])
    expect(backtrace.stderr).toContain(`${binaries.length} of ${binaries.length} binaries found`)
    expect(backtrace.stdout).toMatch(/#0 .*crash_here \(.*crash\.c:\d+/)
  })

  test('are stored without a report too, and by default not at all', async () => {
    for (const [env, count] of [
      [{ COMP_BINARIES: 'true', COMP_REPORT: 'off' }, 1],
      [{}, 0],
    ] as const) {
      await store.deleteAll('')
      const node = prepareNode(env)
      const program = buildProgram(join(node.agent.directory, 'app'))
      await node.prepared(async () => {
        const pid = await runUntilCrash(program.path, ['here'])
        await node.bundles.one(({ manifest }) => manifest.crash.hostPid === pid)
        await until('composers have ended', () => node.composers().length === 0)
        await until('no binary waits', () => noneWaits(node.agent))
      })
      expect((await storedBinaries()).length).toBe(count * program.files.length)
      expect(existsSync(join(node.agent.coreDir, 'binaries'))).toBe(count > 0)
    }
  })

  test('are stored of a pod, from files that only its container has', async () => {
    const containerd = new Containerd('2')
    onTestFinished(() => containerd.stop())
    await containerd.start()
    const node = new TestNode({ store, containerd, env: { COMP_BINARIES: 'true' } })
    onTestFinished(() => node.dispose())
    const crasher = testProgram('crasher')
    await node.prepared(async () => {
      const pod = await runPod(containerd, { name: 'web', containers: [{ args: ['-m', '4'] }] })
      await node.bundles.one(({ manifest }) => manifest.identity.podUid === pod.uid)
      await pod.remove()
      await until('the binary is stored', async () => (await storedBinaries()).length > 0)
    })
    expect(await storedBinaries()).toEqual([`binaries/${buildIdOf(crasher)}`])
    const copy = join(node.agent.directory, 'copy')
    await store.fetch(`binaries/${buildIdOf(crasher)}`, copy)
    expect(readFileSync(copy).equals(readFileSync(crasher))).toBe(true)
  })

  test('that were forged under a build-id are not used for the crash of another', async () => {
    const node = prepareNode({ COMP_BINARIES: 'true' })
    const program = buildProgram(join(node.agent.directory, 'app'))
    const id = buildIdOf(program.path)
    const forged = join(node.agent.directory, 'forged')
    const source = programSource('crash.cpp')
    compile(node.agent.directory, 'g++', [
      '-static',
      `-Wl,--build-id=0x${id}`,
      '-o',
      forged,
      source,
    ])
    const bundle = await node.prepared(async () => {
      await runUntilCrash(forged, ['virtual'])
      await until('the forged file is stored', async () => (await storedBinaries()).length === 1)
      const pid = await runUntilCrash(program.path, ['here'])
      const honest = await node.bundles.one(({ manifest }) => manifest.crash.hostPid === pid)
      await until('the other files are stored', async () => (await storedBinaries()).length === 3)
      return honest
    })
    const copy = join(node.agent.directory, 'copy')
    await store.fetch(`binaries/${id}`, copy)
    expect(readFileSync(copy).equals(readFileSync(forged))).toBe(true)
    rmSync(program.directory, { recursive: true })
    const { stdout, stderr } = await cdh(node, ['debug', bundle.manifest.uuid, '--core', '--json'])
    const sources = JSON.parse(stdout).modules.map(
      ({ isProgram, source: found }: { isProgram: boolean; source?: string }) => [isProgram, found],
    )
    expect(sources.toSorted()).toEqual([
      [false, 'bucket'],
      [false, 'bucket'],
      [true, undefined],
    ])
    expect(stderr).toBe('')
    // the report was made from the file of the process
    expect(bundle.manifest.topFrame).toBe('crash_here (crash)')
  })

  test('wait while the store fails, and are stored afterwards', async () => {
    const agent = agentWithBinaries({ [A]: elfBinary(A, 10 * MIB), [B]: elfBinary(B) })
    await store.down()
    await agent.start()
    await until('the failure is logged', () => agent.output.includes('could not be uploaded'))
    expect(waitingBinaries(agent)).toEqual([A, B])
    await store.up()
    await expectStored([A, B], agent)
  })

  test('are uploaded after bundles, also after those that come meanwhile', async () => {
    const line = await throttle(store.endpoint, 8 * MIB)
    onTestFinished(() => line.close())
    const content = randomBytes(40 * MIB)
    elfBinary(A).copy(content)
    const agent = agentWithBinaries({ [A]: content }, { ...store, endpoint: line.url })
    await agent.start()
    await until('the upload of the binary has begun', () => line.sentBytes > 12 * MIB, 60_000)
    const { name } = leaveBundle(agent, 6 * MIB)
    await until('the bundle is stored', async () => (await store.keys()).includes(name), 60_000)
    expect(await storedBinaries()).toEqual([])
    line.release()
    await expectStored([A], agent)
    expect(await store.uploads()).toEqual([])
    // what had been sent before was not sent again
    expect(line.sentBytes).toBeLessThan(40 * MIB + 6 * MIB + 3 * 8 * MIB)
  })

  test('of two nodes at once are no error', async () => {
    const line = await throttle(store.endpoint, 8 * MIB)
    onTestFinished(() => line.close())
    const content = randomBytes(40 * MIB)
    elfBinary(A).copy(content)
    const files = { [A]: content, [B]: elfBinary(B) }
    const agents = [1, 2].map(() => agentWithBinaries(files, { ...store, endpoint: line.url }))
    for (const agent of agents) await agent.start()
    await until('both upload', async () => (await store.uploads()).length === 2, 60_000)
    line.release()
    for (const agent of agents) {
      await expectStored([A, B], agent)
      expect(agent.output).not.toContain('could not be uploaded')
      expect(agent.output).not.toContain('has another file')
    }
    expect(await store.uploads()).toEqual([])
  })

  test('that a killed composer has not copied whole are deleted', async () => {
    const agent = agentWithBinaries({ [`.${A}.part`]: elfBinary(A), [B]: elfBinary(B) })
    const anHourAgo = new Date(Date.now() - 3_600_000)
    utimesSync(join(agent.coreDir, 'binaries', `.${A}.part`), anHourAgo, anHourAgo)
    await agent.start()
    await until('it is deleted', () => noneWaits(agent), 60_000)
    expect(await storedBinaries()).toEqual([`binaries/${B}`])
  })

  /** An agent that finds these files as composers have left them. */
  function agentWithBinaries(
    files: Readonly<Record<string, Buffer>>,
    account: Parameters<typeof agentFor>[0] = store,
  ): Agent {
    const agent = agentFor(account, { COMP_BINARIES: 'true' })
    mkdirSync(join(agent.coreDir, 'binaries'))
    for (const [id, content] of Object.entries(files)) {
      writeFileSync(join(agent.coreDir, 'binaries', id), content)
    }
    return agent
  }

  async function expectStored(ids: readonly string[], agent: Agent): Promise<void> {
    const keys = ids.map((id) => `binaries/${id}`)
    const isDone = async (): Promise<boolean> =>
      (await storedBinaries()).length === keys.length && waitingBinaries(agent).length === 0
    await until('the binaries are stored', isDone, 60_000).catch((cause: unknown) => {
      throw new Error(`the agent logged:\n${agent.output}`, { cause })
    })
    expect(await storedBinaries()).toEqual(keys)
  }

  /** With access to the bucket and nothing else. */
  function cdh(node: TestNode, args: readonly string[]): ReturnType<typeof runCdh> {
    const cache = join(node.agent.directory, 'cache')
    rmSync(cache, { recursive: true, force: true })
    return runCdh(args, {
      CDH_STORE: `s3://${store.bucket}`,
      AWS_ENDPOINT_URL: store.endpoint,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: store.accessKey,
      AWS_SECRET_ACCESS_KEY: store.secret,
      XDG_CACHE_HOME: cache,
    })
  }
})

interface BuiltProgram {
  readonly directory: string
  readonly path: string
  /** The program and all that it loads. */
  readonly files: readonly string[]
}

/** A program with a libc and a loader of its own, which are on no other path of this machine. */
function buildProgram(directory: string): BuiltProgram {
  const [path, loader, libc] = ['crash', 'ld.so', 'libc.so.6'].map((name) => join(directory, name))
  if (path === undefined || loader === undefined || libc === undefined) throw new Error('no names')
  mkdirSync(directory)
  copyFileSync(LOADER, loader)
  copyFileSync(libcOf('/bin/true'), libc)
  const own = [`-Wl,-rpath,${directory}`, `-Wl,--dynamic-linker=${loader}`]
  const source = programSource('crash.c')
  compile(directory, 'gcc', ['-O1', '-g', '-w', '-pthread', '-o', path, source, ...own])
  return { directory, path, files: [path, loader, libc] }
}

function libcOf(program: string): string {
  const { stdout } = execaSync('ldd', [program])
  return / => (\S*\/libc\.so\.6) /.exec(stdout)?.[1] ?? '/lib/x86_64-linux-gnu/libc.so.6'
}

function buildIdOf(file: string): string {
  const { stdout } = execaSync('readelf', ['-n', file])
  return /Build ID: ([0-9a-f]+)/.exec(stdout)?.[1] ?? ''
}

function waitingBinaries({ coreDir }: Agent): string[] {
  const directory = join(coreDir, 'binaries')
  if (!existsSync(directory)) return []
  return readdirSync(directory).filter((name) => !name.startsWith('.stored'))
}

function noneWaits(agent: Agent): boolean {
  return waitingBinaries(agent).length === 0
}
