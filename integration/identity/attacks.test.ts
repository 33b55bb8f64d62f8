import type { BundleManifest } from '@core-dump-handler/bundle'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Random } from '../fuzz/generate/random.ts'
import { realParts } from '../real-parts.ts'
import { crashAs, type CrashKind } from './crashes.ts'
import { Stage } from './stage.ts'

type Identity = BundleManifest['identity']

/** Of a container around this node, as kind has it. */
const OUTER = 'c'.repeat(64)
const PODS = [
  { name: 'teller', namespace: 'bank' },
  { name: 'vault', namespace: 'bank', hostname: 'teller' },
  { name: 'proxy', namespace: 'edge', shares: ['network'] },
  { name: 'tracer', namespace: 'edge', shares: ['pid'] },
  { name: 'nested', namespace: 'inner', inside: `docker/${OUTER}` },
] as const

realParts('the owner of a crash, one attack at a time', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.start(PODS)
  })
  afterEach(() => stage.sweep())
  afterAll(() => stage.stop())

  test('is the container for an exec’d process [identity-1]', async () => {
    expect(await toldOf('exec', 'teller')).toMatchObject(provenAs('teller'))
  })

  test('is the pod for one on the host’s network, which has the node’s host name [identity-3]', async () => {
    expect(await toldOf('child', 'proxy')).toMatchObject(provenAs('proxy'))
  })

  test('is the pod for one with the host’s pids [identity-3]', async () => {
    expect(await toldOf('child', 'tracer')).toMatchObject(provenAs('tracer'))
  })

  test('is the container for a process with the names of another pod [identity-2]', async () => {
    const comm = stage.home('teller').containerId.slice(0, 15)
    expect(await toldOf('child', 'vault', comm)).toMatchObject(provenAs('vault'))
  })

  test('skips the id of a container around the node [identity-7]', async () => {
    expect(stage.home('nested').hostCgroups[0]).toContain(`/${OUTER}/`)
    expect(await toldOf('child', 'nested')).toMatchObject(provenAs('nested'))
  })

  test('is the outer container for a cgroup named after another container [identity-4]', async () => {
    expect(await toldOf('inner', 'teller')).toMatchObject(provenAs('teller'))
  })

  test('is unverified for a process that moved to another container in some hierarchies [identity-5]', async ({
    skip,
  }) => {
    skip(stage.home('teller').cgroups.length < 2, 'in the only hierarchy it is where it moved')
    const { status, reason, pod, podUid, containerId } = await toldOf('split', 'teller')
    expect(status).toBe('unverified')
    expect(reason).toMatch(/names several containers/)
    expect([pod, podUid, containerId]).toEqual([undefined, undefined, undefined])
  })

  test('is the container for a process that moved out of all containers in some hierarchies [identity-6]', async ({
    skip,
  }) => {
    skip(stage.home('teller').cgroups.length < 2, 'in the only hierarchy it is where it moved')
    expect(await toldOf('root', 'teller')).toMatchObject(provenAs('teller'))
  })

  function provenAs(name: string): Partial<Identity> {
    const { pod, containerId } = stage.home(name)
    const { namespace, uid: podUid } = pod
    return { status: 'verified', pod: name, namespace, podUid, containerId, container: 'main' }
  }

  /** What the bundle says of a crash of that kind. */
  async function toldOf(kind: CrashKind, name: string, comm = `of-${name}`): Promise<Identity> {
    const make = async (): Promise<void> => {
      await crashAs(kind, stage.home(name), comm, stage.scene(), new Random(1))
    }
    const [manifest] = await stage.catcher.catch(make, ({ crash }) => crash.comm === comm, 1)
    if (!manifest) throw new Error(`there was no bundle of ${comm}`)
    return manifest.identity
  }
})
