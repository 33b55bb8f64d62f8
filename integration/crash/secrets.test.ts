import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openRuntime } from '@core-dump-handler/cri'
import JSZip from 'jszip'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { elfCore } from '@core-dump-handler/testing/composer/elf-core'
import { fakeProc } from '@core-dump-handler/testing/cri/fake-proc'
import { CANARY, CONTAINER, GRPC, POD_UID } from '../fuzz/generate/answers.ts'
import { Random } from '../fuzz/generate/random.ts'
import { buildComposer, type Composer } from '../fuzz/support/composer.ts'
import { HostileRuntime } from '../fuzz/support/hostile-runtime.ts'
import { ScratchNode } from '../fuzz/support/scratch-node.ts'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'

const PID = 4242
const CORE = elfCore(50_000)
const ARGS = ['-e=web', '-h=web-1', '-E=!web', '-s=11', '-p=1', '-t=1700000200', `-P=${PID}`]
const ASKED_FOR = /-(process|0-proc)\/(environ|cmdline)$/

function scratch(): string {
  const directory = scratchDirectory()
  onTestFinished(() => removeScratch(directory))
  return directory
}

const tellers = (texts: ReadonlyMap<string, string>): string[] =>
  [...texts].filter(([, text]) => text.includes(CANARY)).map(([name]) => name)

const endOf = (texts: ReadonlyMap<string, string>, suffix: string): string =>
  [...texts].find(([name]) => name.endsWith(suffix))?.[1] ?? ''

describe('a secret in the environment of a process and its container', () => {
  let directory: string
  let composer: Composer
  let runtime: HostileRuntime
  beforeAll(async () => {
    directory = scratchDirectory()
    composer = await buildComposer(directory)
    runtime = await HostileRuntime.listen(join(directory, 'cri.sock'))
    runtime.answerWith(new Random(1), GRPC, true)
  })
  afterAll(async () => {
    await runtime.close()
    removeScratch(directory)
  })

  /** What a crash leaves: each file and each entry, by name. */
  async function leavings(
    env: Record<string, string> = {},
    args: readonly string[] = [],
  ): Promise<{ texts: Map<string, string>; bundle: string }> {
    const root = scratch()
    const cgroup = `0::/kubepods/pod${POD_UID}/${CONTAINER}\n`
    fakeProc(join(root, 'proc'), {
      pid: PID,
      cgroup,
      files: {
        environ: `PATH=/bin\0TOKEN=${CANARY}\0`,
        cmdline: `web\0--password=${CANARY}\0`,
        auxv: '',
        maps: '',
      },
    })
    const node = new ScratchNode(root)
    const { code, stdout, stderr } = await composer({
      args: [...ARGS, ...args].map((each) => Buffer.from(each)),
      env: {
        ...node.env,
        CRI_ENDPOINT: join(directory, 'cri.sock'),
        OVERRIDE_PROC_FOLDER_PATH: join(root, 'proc'),
        CORE_EVENTS: 'true',
        LOG_LEVEL: 'trace',
        ...env,
      },
      cwd: node.cwd,
      core: CORE,
    })
    node.check()
    expect(code, stderr).toBe(0)
    const [bundle = ''] = node.bundles()
    const { files } = await JSZip.loadAsync(readFileSync(bundle))
    const texts = new Map([
      ['stdout', stdout],
      ['stderr', stderr],
      ['composer.log', readFileSync(join(node.home, 'composer.log'), 'utf8')],
    ])
    for (const [name, file] of Object.entries(files)) texts.set(name, await file.async('string'))
    return { texts, bundle }
  }

  test('is only in the core by default [attack-10, B27]', async () => {
    const { texts } = await leavings()
    expect(JSON.parse(endOf(texts, '-manifest.json')).identity).toMatchObject({
      status: 'verified',
      pod: 'web-1',
    })
    expect(endOf(texts, '-runtime-info.json')).toContain('TOKEN=<removed>')
    expect(tellers(texts)).toEqual([])
  })

  test('is in the environment and arguments entries where they are enabled, nowhere else', async () => {
    const { texts } = await leavings({ INCLUDE_PROC_INFO: 'true' })
    expect(tellers(texts).length).toBeGreaterThan(0)
    expect(tellers(texts).filter((name) => !ASKED_FOR.test(name))).toEqual([])
  })

  test('a bundle of a set-uid process has mode 0600 and its dumpMode [attack-3, B26]', async () => {
    const { texts, bundle } = await leavings({}, ['-M=2'])
    expect(lstatSync(bundle).mode & 0o777).toBe(0o600)
    const manifest = JSON.parse(endOf(texts, '-manifest.json'))
    expect(manifest.crash.dumpMode).toBe(2)
    expect(manifest.core).toMatchObject({ bytes: CORE.length, complete: true })
  })

  test('a dump of a set-uid process is rejected with a record where the setting says so [attack-3]', async () => {
    const { texts } = await leavings({ SUID_CORES: 'refuse' }, ['-M=2'])
    const manifest = JSON.parse(endOf(texts, '-manifest.json'))
    expect(manifest.crash.dumpMode).toBe(2)
    expect(manifest.core).toMatchObject({ bytes: 0, complete: false })
    expect(manifest.core.reason).toContain('SUID_CORES')
    expect(manifest.problems).toContainEqual(expect.objectContaining({ code: 'CORE_REFUSED' }))
    expect([...texts.keys()].filter((name) => name.endsWith('.core'))).toEqual([])
    const other = await leavings({ SUID_CORES: 'refuse' }, ['-M=1'])
    expect(endOf(other.texts, '.core')).not.toBe('')
  })

  test('is not in what the cri package returns', async () => {
    const asked = await openRuntime({ client: 'grpc', endpoint: join(directory, 'cri.sock') })
    const { status, info } = await asked.containerStatus(CONTAINER)
    asked.close()
    expect(JSON.stringify(info)).toContain('TOKEN')
    expect(JSON.stringify([status, info])).not.toContain(CANARY)
  })
})
