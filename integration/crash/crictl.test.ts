import { randomUUID } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import type { Bundle } from '@core-dump-handler/testing/bundle/bundle'
import { runUntilCrash } from '@core-dump-handler/testing/kernel/test-program'
import { podsCgroup } from '@core-dump-handler/testing/kernel/pod-cgroup'
import { setCoreSysctl } from '@core-dump-handler/testing/kernel/kernel'
import { TestNode } from '@core-dump-handler/testing/agent/test-node'
import { runPod, type Pod } from '@core-dump-handler/testing/containerd/pod'
import { realParts } from '../real-parts.ts'
import { storeAndRuntime } from '@core-dump-handler/testing/agent/test-node'
import { processesOf } from '@core-dump-handler/testing/processes'
import { crictlOfPod } from '@core-dump-handler/testing/cri/crictl-pod'
import type { FakeCrictl } from '@core-dump-handler/testing/cri/fake-crictl'
import { until } from '@core-dump-handler/testing/until'
import { testProgram } from '@core-dump-handler/testing/kernel/test-program'

const ENTRIES = [
  '-dump-info.json',
  '.core',
  '-pod-info.json',
  '-runtime-info.json',
  '-ps-info.json',
  '-0.log',
  '-0-image-info.json',
]
const REPORT = ['-report.json', '-report.txt', '-mini.core']
const PROC = ['auxv', 'cmdline', 'environ', 'maps', 'status'].map((name) => `-0-proc/${name}`)

realParts('a bundle made with crictl', () => {
  const parts = storeAndRuntime()

  function prepareNode(env: Record<string, string> = {}): [TestNode, FakeCrictl] {
    const crictl = {
      COMP_CRI_CLIENT: 'crictl',
      DEPLOY_CRIO_EXE: 'true',
      DEPLOY_CRIO_CONFIG: 'true',
    }
    const node = new TestNode({ ...parts, env: { ...crictl, ...env } })
    onTestFinished(() => node.dispose())
    // the agent deploys the crictl of its working directory
    const pod = { name: 'basket-0', namespace: 'shop', uid: randomUUID() }
    const container = { containerId: 'c'.repeat(64), container: 'server', pid: process.pid }
    return [node, crictlOfPod(node.agent.directory, { ...pod, ...container })]
  }

  test('has the seven entries of version 9, the report and the manifest', async () => {
    const [node, crictl] = prepareNode()
    const bundle = await crashTheOldWay(node)
    expect(bundle.shortNames).toEqual([...ENTRIES, ...REPORT, '-manifest.json'])
    expect(bundle.manifest.identity).toMatchObject({
      status: 'unverified',
      pod: 'basket-0',
      namespace: 'shop',
    })
    expect(bundle.manifest.identity.reason).toMatch(/host ?name/i)
    expect(await bundle.text('-0.log')).toContain('panic: it broke')
    expect(await bundle.json('-pod-info.json')).toMatchObject({ metadata: { name: 'basket-0' } })
    expect(withoutConfig(crictl.calls())).toContain('pods --name basket-0 -o json')
  })

  test('has the twelve entries of version 9 with proc info', async () => {
    const [node] = prepareNode({ COMP_INCLUDE_PROC_INFO: 'true' })
    const spec = { name: 'basket-0', namespace: 'shop', containers: [{ args: ['-w', '60000'] }] }
    const pod = await runPod(parts.containerd, spec)
    onTestFinished(() => pod.remove())
    const pid = await pod.hostPid()
    redeploy(node, pod, pid)
    const bundle = await crashTheOldWay(node)
    expect(bundle.shortNames).toEqual([...ENTRIES, ...PROC, ...REPORT, '-manifest.json'])
    expect(await bundle.text('-0-proc/status')).toMatch(new RegExp(`^Pid:\\s+${pid}$`, 'm'))
  })

  test('has two entries with IGNORE_CRIO, and crictl is not run [B13]', async () => {
    const [node, crictl] = prepareNode({ COMP_IGNORE_CRIO: 'true' })
    const bundle = await crashTheOldWay(node)
    expect(bundle.shortNames).toEqual(['-dump-info.json', '.core', ...REPORT, '-manifest.json'])
    expect(crictl.calls()).toEqual([])
  })

  test('is verified by the container of the process’s cgroup', async () => {
    const [node] = prepareNode()
    const bundle = await node.prepared(async () => {
      const pod = await runPod(parts.containerd, {
        name: 'seen',
        containers: [{ args: ['-w', '300'] }],
      })
      onTestFinished(() => pod.remove())
      redeploy(node, pod, 1).deploy(node.agent.hostDir)
      return node.bundles.one(({ manifest }) => manifest.identity.podUid === pod.uid)
    })
    expect(bundle.manifest.identity).toMatchObject({
      status: 'verified',
      pod: 'seen',
      container: 'server',
      restartCount: 3,
    })
  })

  test('has the whole core when crictl hangs, exit code 32, and no child remains', async () => {
    const [node, crictl] = prepareNode({ COMP_TIMEOUT: '1' })
    const { agent } = node
    crictl.hang()
    await agent.spareKernel().start()
    const core = testProgram('crasher')
    const composer = join(agent.hostDir, 'cdc')
    const { exitCode } = await execa(composer, ['-h=basket-0', '-e=crasher', '-p=4242'], {
      inputFile: core,
      env: {},
      extendEnv: false,
      reject: false,
    })
    expect(exitCode).toBe(32)
    const bundle = await node.bundles.one(({ manifest }) => manifest.crash.pid === 4242)
    expect(bundle.entry('.core').bytes).toBe(statSync(core).size)
    await agent.daemon.stop()
    await until('no child is left', () => processesOf(agent.directory).length === 0)
  })
})

/** Crash on the host under a pod's host name, with the core pattern of version 9. */
async function crashTheOldWay(node: TestNode): Promise<Bundle> {
  const { hostDir, coreDir } = node.agent
  return node.prepared(async () => {
    setCoreSysctl(
      'kernel.core_pattern',
      `|${hostDir}/cdc -c=%c -e=%e -p=%p -s=%s -t=%t -d=${coreDir} -h=%h -E=%E`,
    )
    const script = 'echo basket-0 >/proc/sys/kernel/hostname; exec "$1" -m 2'
    const args = ['--uts', '/bin/sh', '-c', script, 'sh', testProgram('crasher')]
    const pid = await runUntilCrash('unshare', args)
    return node.bundles.one(({ manifest }) => manifest.crash.pid === pid)
  })
}

/** A crictl that reports this pod, in place of the one that the agent deploys. */
function redeploy({ agent }: TestNode, pod: Pod, pid: number): FakeCrictl {
  const { name, namespace, uid, containerIds } = pod
  const [containerId = ''] = containerIds
  const crictl = crictlOfPod(join(agent.directory, 'again'), {
    name,
    namespace,
    uid,
    containerId,
    container: 'server',
    pid,
    cgroupsPath: `/${podsCgroup()}/pod${uid}/${containerId}`,
  })
  crictl.deploy(agent.directory)
  return crictl
}

function withoutConfig(calls: readonly string[]): string[] {
  return calls.map((call) => call.replace(/^-c \S+ /, ''))
}
