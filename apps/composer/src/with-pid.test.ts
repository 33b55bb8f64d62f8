import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { PROCESS_FILES } from '@core-dump-handler/capture'
import { crictlOfPod } from '@core-dump-handler/testing/cri/crictl-pod'
import { onlyBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { runComposer } from '@core-dump-handler/testing/composer/run-composer'
import { CORE, test as base, WEB_POD } from '@core-dump-handler/testing/composer/scratch-node'
import { dumpingProcess } from '@core-dump-handler/testing/composer/scratch-proc'
import { canMountSilentFiles, mountSilentFile } from '@core-dump-handler/testing/cri/silent-file'

const PID = 4711
const ARGS = [`-P=${PID}`, `-I=${PID}`, '-u=1000', '-g=1000', '-M=1']
const { uid: POD_UID, containerId: CONTAINER } = WEB_POD
const IN_NO_POD = '/system.slice/sshd.service'
const IN_POD = `/kubepods/burstable/pod${POD_UID}/${CONTAINER}`

interface Crashes {
  /** The exit code of a composer for a process that dumps core in this cgroup. */
  crashIn(cgroup: string, env?: Record<string, string>): Promise<number | null>
}

const test = base.extend<Crashes>({
  crashIn: async ({ dir, node }, use) => {
    await use(async (cgroup, env = {}) => {
      const root = join(dir, 'proc')
      // in a container it is the first process of a pid namespace
      const nspid = cgroup === IN_NO_POD ? [PID] : [PID, 1]
      await dumpingProcess(root, PID, cgroup, nspid)
      const args = [...ARGS, `-p=${nspid.at(-1)}`]
      const { code } = await node.start({ OVERRIDE_PROC_FOLDER_PATH: root, ...env }, args).ended
      return code
    })
  },
})

describe('composer, with a host pid', () => {
  test('proves the owner from the process to the pod', async ({ node, crashIn }) => {
    expect(await crashIn(IN_POD)).toBe(0)
    const { manifest } = await onlyBundle(node.cores)
    expect(manifest.identity).toMatchObject({
      status: 'verified',
      containerId: CONTAINER,
      container: 'main',
      pod: 'web-1',
      namespace: 'shop',
      podUid: POD_UID,
      restartCount: 3,
    })
    expect(manifest.crash).toMatchObject({ exe: '/usr/bin/web', hostPid: PID, pid: 1, uid: 1000 })
    expect(manifest.problems.filter(({ code }) => code !== 'REPEATED_ARGUMENT')).toEqual([])
    // by id: a process can choose its host name
    expect(node.crictl.calls().filter((call) => call.startsWith('pods'))).toEqual([])
  })

  test("keeps the files of the process, also as those of its container's first process", async ({
    node,
    crashIn,
  }) => {
    await crashIn(IN_POD, { INCLUDE_PROC_INFO: 'true' })
    const bundle = await onlyBundle(node.cores)
    const files = bundle.entries.filter((entry) => /-(process|proc)\//.test(entry))
    expect(files).toEqual([
      ...PROCESS_FILES.map((file) => `-0-proc/${file}`),
      ...PROCESS_FILES.map((file) => `-process/${file}`),
    ])
    expect(await bundle.text('-process/environ')).toBe(`environ of ${PID}\n`)
    expect(await bundle.text('-0-proc/environ')).toBe(`environ of ${PID}\n`)
  })

  test('proves nothing when the kernel did not pass the time of the crash', async ({
    node,
    dir,
  }) => {
    const root = join(dir, 'proc')
    await dumpingProcess(root, PID, IN_POD, [PID, 1])
    const env = { COMPOSER_HOME: node.home, CORE_DIR: node.cores, CRI_CLIENT: 'crictl' }
    await runComposer({
      args: [...ARGS, '-p=1'],
      env: { ...env, OVERRIDE_PROC_FOLDER_PATH: root },
      core: CORE,
    })
    const { identity, crash } = (await onlyBundle(node.cores)).manifest
    expect(identity).toMatchObject({ status: 'unverified', pod: 'web-1' })
    expect(identity.reason).toContain('the time (%t) of the crash')
    expect(Math.abs(Date.parse(crash.time) - Date.now())).toBeLessThan(60_000)
  })

  test('is unverified when the pod of the path is not the one of the runtime', async ({
    node,
    crashIn,
  }) => {
    const other = POD_UID.replace('3d2c', 'ffff')
    await crashIn(`/kubepods/burstable/pod${other}/${CONTAINER}`)
    const { identity } = (await onlyBundle(node.cores)).manifest
    expect(identity.status).toBe('unverified')
    expect(identity.reason).toEqual(expect.stringContaining(other))
  })

  test.skipIf(!canMountSilentFiles())(
    'does not wait for memory of the process that never comes',
    async ({ node, dir }) => {
      const root = join(dir, 'proc')
      await dumpingProcess(root, PID, IN_POD, [PID, 1])
      const { release } = await mountSilentFile(join(root, String(PID), 'environ'))
      try {
        const env = { OVERRIDE_PROC_FOLDER_PATH: root, INCLUDE_PROC_INFO: 'true' }
        const { code, signal } = await node.start(env, [...ARGS, '-p=1']).ended
        // one of its threads never returns from that read
        expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' })
      } finally {
        await release()
      }
      const { entries, manifest } = await onlyBundle(node.cores)
      expect(manifest.core.complete).toBe(true)
      expect(manifest.identity.status).toBe('verified')
      expect(manifest.timings.heldMs).toBeGreaterThan(1000)
      expect(manifest.timings.heldMs).toBeLessThan(5000)
      const own = entries.filter((entry) => entry.startsWith('-process/'))
      expect(own).toEqual(['auxv', 'cmdline', 'maps', 'status'].map((file) => `-process/${file}`))
      expect(manifest.problems.map(({ message }) => message)).toContainEqual(
        expect.stringMatching(/Cannot read `environ` of process 4711: not done within 1000 ms/),
      )
    },
  )

  test('has the status host for a process in no container, and exits with 0', async ({
    node,
    crashIn,
  }) => {
    expect(await crashIn(IN_NO_POD)).toBe(0)
    const { manifest, entries } = await onlyBundle(node.cores)
    expect(manifest.identity.status).toBe('host')
    expect(entries).toEqual(['-dump-info.json', '.core', '-pod-info.json', '-manifest.json'])
  })

  test('records a host process under a selector, without its core', async ({ node, crashIn }) => {
    expect(await crashIn(IN_NO_POD, { POD_SELECTOR_LABEL: 'app' })).toBe(0)
    const { manifest } = await onlyBundle(node.cores)
    expect(manifest.core).toEqual({
      bytes: 0,
      complete: false,
      reason: expect.stringContaining('host process'),
      reasonCode: 'CORE_REFUSED',
    })
    expect(await readFile(join(node.home, 'composer.log'), 'utf8')).toContain('CORE_REFUSED')
  })

  test('keeps a crash under a selector when the runtime does not know the container [B10]', async ({
    node,
    crashIn,
  }) => {
    crictlOfPod(node.home, WEB_POD, { inspect: 'nonsense' })
    expect(await crashIn(IN_POD, { POD_SELECTOR_LABEL: 'absent' })).toBe(1)
    const { core, problems } = (await onlyBundle(node.cores)).manifest
    expect(core.complete).toBe(true)
    expect(problems.map(({ code }) => code)).toContain('SELECTOR_UNDECIDED')
  })

  test('looks at the process itself even with IGNORE_CRIO', async ({ node, crashIn }) => {
    expect(await crashIn(IN_POD, { IGNORE_CRIO: 'true' })).toBe(0)
    const { manifest, entries } = await onlyBundle(node.cores)
    expect(entries).toEqual(['-dump-info.json', '.core', '-manifest.json'])
    expect(manifest.identity).toMatchObject({ status: 'unverified', podUid: POD_UID })
    expect(node.crictl.calls()).toEqual([])
  })
})
