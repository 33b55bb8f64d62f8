import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { CONTAINER, DIGEST, crictlCalls, installCrictl } from './test-support/crictl.ts'
import { elfCore } from './test-support/elf-core.ts'
import { onlyBundle } from './test-support/read-bundle.ts'
import {
  type Ended,
  runComposer,
  startComposer,
  test as base,
} from './test-support/run-composer.ts'
import { PROCESS_FILES, scratchProc } from './test-support/scratch-proc.ts'

const CORE = elfCore(200_000)
const ARGS = ['-c=0', '-e=web', '-p=1', '-s=6', '-t=1700000000', '-h=web-1', '-E=!usr!bin!web']
const SEVEN = [
  '-dump-info.json',
  '.core',
  '-pod-info.json',
  '-runtime-info.json',
  '-ps-info.json',
  '-0.log',
  '-0-image-info.json',
]

interface Node {
  readonly home: string
  readonly cores: string
  run(env?: Record<string, string>, args?: string[]): Promise<Ended>
}

// a node as the agent prepares it, with a crictl in the composer's home
const test = base.extend<{ node: Node }>({
  node: async ({ dir }, use) => {
    const home = join(dir, 'home')
    const cores = join(dir, 'cores')
    await mkdir(home)
    await installCrictl(home)
    const settings = { COMPOSER_HOME: home, CORE_DIR: cores, CRI_CLIENT: 'crictl' }
    await use({
      home,
      cores,
      run: (env = {}, args = ARGS) =>
        runComposer({ args, env: { ...settings, ...env }, core: CORE }),
    })
  },
})

describe("the ancestor's contract, with crictl answering", () => {
  test('writes seven entries for one container, and the manifest last', async ({ node }) => {
    const { code, stderr } = await node.run()
    const bundle = await onlyBundle(node.cores)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(bundle.name).toMatch(/^[0-9a-f-]{36}-dump-1700000000-web-1-web-1-6$/)
    expect(bundle.entries).toEqual([...SEVEN, '-manifest.json'])
    expect(JSON.parse(await bundle.text('-pod-info.json'))).toMatchObject({
      metadata: { name: 'web-1' },
    })
    expect(JSON.parse(await bundle.text('-ps-info.json'))).toMatchObject({
      containers: [{ id: CONTAINER }],
    })
    expect(JSON.parse(await bundle.text('-0-image-info.json'))).toMatchObject({
      repoDigests: [DIGEST],
    })
    expect(await bundle.text('-0.log')).toMatch(/starting\nserving\n[^]*panic: it broke/)
    expect(bundle.manifest.identity).toMatchObject({
      status: 'unverified',
      pod: 'web-1',
      namespace: 'shop',
    })
  })

  test('keeps the keys, the order and the strings of dump-info.json', async ({ node }) => {
    await node.run()
    const bundle = await onlyBundle(node.cores)
    expect(Object.keys(bundle.dumpInfo).join(' ')).toBe(
      'uuid dump_file timestamp hostname exe real_pid signal node_hostname path',
    )
    expect(bundle.dumpInfo).toMatchObject({
      dump_file: `${bundle.name}.core`,
      timestamp: '1700000000',
      hostname: 'web-1',
      exe: 'web',
      real_pid: '1',
      signal: '6',
      path: '!usr!bin!web',
    })
    expect(Object.values(bundle.dumpInfo).every((value) => typeof value === 'string')).toBe(true)
  })

  test("writes twelve entries with the files of each container's first process", async ({
    node,
    dir,
  }) => {
    await scratchProc(join(dir, 'proc'), 117)
    await node.run({ INCLUDE_PROC_INFO: 'true', OVERRIDE_PROC_FOLDER_PATH: join(dir, 'proc') })
    const bundle = await onlyBundle(node.cores)
    const files = PROCESS_FILES.map((file) => `-0-proc/${file}`)
    expect(bundle.entries).toEqual([...SEVEN, ...files, '-manifest.json'])
    expect(await bundle.text('-0-proc/maps')).toBe('maps of 117\n')
  })

  test('asks nobody with IGNORE_CRIO, and writes two entries', async ({ node }) => {
    const { code } = await node.run({ IGNORE_CRIO: 'TRUE' })
    expect(code).toBe(0)
    expect((await onlyBundle(node.cores)).entries).toEqual([
      '-dump-info.json',
      '.core',
      '-manifest.json',
    ])
    expect(await crictlCalls(node.home)).toEqual([])
  })

  test('gives crictl its configuration, verb and log length', async ({ node }) => {
    await installCrictl(node.home, { images: '{"images":[]}' })
    await node.run({ USE_CRIO_CONF: 'true', CRIO_IMAGE_CMD: 'images', LOG_LENGTH: '7' })
    const calls = await crictlCalls(node.home)
    expect(calls.every((call) => call.startsWith(`-c ${node.home}/crictl.yaml `))).toBe(true)
    expect(calls.join('\n')).toMatch(
      / images -o json\n?[^]* logs --tail=7 | logs --tail=7 [^]* images -o json/,
    )
  })

  test('stores no value of an environment variable', async ({ node }) => {
    await node.run({ INCLUDE_PROC_INFO: 'true' })
    const bundle = await onlyBundle(node.cores)
    expect(await bundle.text('-runtime-info.json')).not.toContain('hunter2')
  })

  test('writes the event after the bundle, with the fields in order', async ({ node, dir }) => {
    const events = join(dir, 'New/Events')
    await node.run({ CORE_EVENTS: 'True', EVENT_DIRECTORY: events })
    const bundle = await onlyBundle(node.cores)
    const file = `${bundle.manifest.uuid}-event.json`
    expect(await readdir(events)).toEqual([file])
    const event = JSON.parse(await readFile(join(events, file), 'utf8')) as object
    expect(Object.keys(event).join(' ')).toBe(
      'image_list key exe_path labels limit_size exe_name pid signal timestamp hostname namespace uuid',
    )
    expect(event).toEqual({
      image_list: [DIGEST],
      key: `${bundle.name}.zip`,
      exe_path: '!usr!bin!web',
      labels: { 'info.coredump/team': 'checkout' },
      limit_size: '0',
      exe_name: 'web',
      pid: '1',
      signal: '6',
      timestamp: '1700000000',
      hostname: 'web-1',
      namespace: 'shop',
      uuid: bundle.manifest.uuid,
    })
    expect(((await stat(join(events, file))).mode & 0o777).toString(8)).toBe('600')
  })

  test('loses only the event when its directory cannot be made', async ({ node }) => {
    await writeFile(join(node.home, 'events'), '')
    const { code } = await node.run({ CORE_EVENTS: 'true' })
    expect(code).toBe(0)
    expect((await onlyBundle(node.cores)).manifest.core.complete).toBe(true)
    expect(await readFile(join(node.home, 'composer.log'), 'utf8')).toMatch(
      /ERROR - .* - Cannot write the event/,
    )
  })

  test('fails with 1 and keeps everything when no pod has the host name', async ({ node }) => {
    await installCrictl(node.home, { pods: '{"items":[]}' })
    const { code } = await node.run({ CORE_EVENTS: 'true' })
    const bundle = await onlyBundle(node.cores)
    expect(code).toBe(1)
    expect(bundle.entries).toEqual(['-dump-info.json', '.core', '-pod-info.json', '-manifest.json'])
    expect(await bundle.text('-pod-info.json')).toBe('{}')
    expect(bundle.manifest).toMatchObject({
      identity: { status: 'unverified' },
      core: { complete: true },
    })
    expect(await readdir(join(node.home, 'events'))).toHaveLength(1)
  })

  test('fails with 1 and keeps the rest when crictl ps fails', async ({ node }) => {
    await installCrictl(node.home, { ps: 'nonsense' })
    const { code } = await node.run()
    const bundle = await onlyBundle(node.cores)
    expect(code).toBe(1)
    expect(bundle.entries.slice(0, 4)).toEqual(SEVEN.slice(0, 4))
    expect(bundle.manifest.problems.length).toBeGreaterThan(0)
  })

  test('names the file after the pod when the template wants it', async ({ node }) => {
    await node.run({ FILENAME_TEMPLATE: '{namespace}_{podname}_{podUid}' })
    expect((await onlyBundle(node.cores)).name).toMatch(/^shop_web-1_3d2c1b0a-/)
  })

  test('leaves a pod without the label alone, unread and unwritten', async ({ node }) => {
    const { code } = await node.run({ POD_SELECTOR_LABEL: 'collect' })
    expect(code).toBe(0)
    expect(await readdir(node.cores).catch(() => [])).toEqual([])
    expect(await readFile(join(node.home, 'composer.log'), 'utf8')).toContain(
      'has no label `collect`',
    )
  })

  test('takes a pod with the label, whatever its value', async ({ node }) => {
    expect(await node.run({ POD_SELECTOR_LABEL: 'app' })).toMatchObject({ code: 0 })
    expect((await onlyBundle(node.cores)).manifest.core.complete).toBe(true)
  })

  test('keeps a crash whose pod could not be found out, selector or not (B10)', async ({
    node,
  }) => {
    await installCrictl(node.home, { pods: 'nonsense' })
    expect(await node.run({ POD_SELECTOR_LABEL: 'app' })).toMatchObject({ code: 1, signal: null })
    const { manifest } = await onlyBundle(node.cores)
    expect(manifest.core.complete).toBe(true)
    expect(manifest.problems.map(({ code }) => code)).toContain('SELECTOR_UNDECIDED')
  })

  test.for(['pods', 'inspectp', 'ps', 'logs'])(
    'keeps the whole core when crictl %s hangs: 32 in time, no child left',
    async (verb, { node }) => {
      await writeFile(join(node.home, `hang-${verb}`), '')
      const { code } = await node.run({ TIMEOUT: '1' })
      const bundle = await onlyBundle(node.cores)
      expect(code).toBe(32)
      expect((await bundle.bytes('.core')).equals(CORE)).toBe(true)
      expect(bundle.manifest.problems.map((problem) => problem.code)).toContain('TIMEOUT')
      const pids = (await readFile(join(node.home, 'pids'), 'utf8')).trim().split('\n')
      for (const pid of pids) expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH')
    },
  )

  test('is held only until its core is read, however long crictl hangs (B20)', async ({ node }) => {
    await writeFile(join(node.home, 'hang-pods'), '')
    const env = {
      COMPOSER_HOME: node.home,
      CORE_DIR: node.cores,
      CRI_CLIENT: 'crictl',
      TIMEOUT: '2',
    }
    await startComposer({ args: ARGS, env, core: CORE }).ended
    const { timings } = (await onlyBundle(node.cores)).manifest
    expect(timings.totalMs).toBeGreaterThan(1900)
    expect(timings.heldMs).toBeLessThan(1500)
  })
})
