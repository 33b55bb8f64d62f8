import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { fakeProc } from '@core-dump-handler/testing/cri/fake-proc'
import { CANARY, cgroup, GRPC } from '../generate/answers.ts'
import { distortObject } from '../generate/json.ts'
import type { Random } from '../generate/random.ts'
import { text, word } from '../generate/text.ts'
import { checkBundle } from '../support/bundle.ts'
import { buildComposer } from '../support/composer.ts'
import { HostileRuntime } from '../support/hostile-runtime.ts'
import { assertOneLine, promised } from '../support/promises.ts'
import { ScratchNode } from '../support/scratch-node.ts'
import type { Target } from '../support/target.ts'
import { coreOf } from './elf-image.ts'

const PID = 4242

export const bundle: Target = {
  name: 'bundle',
  what: 'the composer, with a hostile process and a hostile runtime at once',
  async begin(directory) {
    const composer = await buildComposer(directory)
    const socket = join(directory, 'cri.sock')
    const runtime = await HostileRuntime.listen(socket)
    return {
      async round(random, root) {
        const proc = join(root, 'proc')
        const sound = random.once(3)
        runtime.answerWith(random, answersOf(random, sound, join(root, 'log')), sound)
        writeFileSync(join(root, 'log'), logOf(random))
        fakeProc(proc, { pid: PID, cgroup: cgroup(random), files: { environ: word(random) } })
        const node = new ScratchNode(root)
        const core = coreOf(random)
        const env = {
          ...node.env,
          CRI_CLIENT: 'grpc',
          CRI_ENDPOINT: `unix://${socket}`,
          CRI_CALL_TIMEOUT_MS: '300',
          CRI_TOTAL_TIMEOUT_MS: '1000',
          OVERRIDE_PROC_FOLDER_PATH: proc,
          CORE_EVENTS: 'true',
          INCLUDE_PROC_INFO: String(random.once(2)),
          FILENAME_TEMPLATE: random.pick([
            '{uuid}',
            '{namespace}-{podname}-{container}-{image}',
            '{exe_name}{podname}',
          ]),
          POD_SELECTOR_LABEL: random.once(6) ? 'app' : '',
        }
        const { stderr } = await composer({ args: argsOf(random), env, cwd: node.cwd, core })
        promised(stderr === '', () => `stderr: ${JSON.stringify(stderr)}`)
        node.check()
        // a pod without that label is ignored, as the setting says
        const [path, ...others] = env.POD_SELECTOR_LABEL === '' ? node.bundles() : []
        promised(others.length === 0, () => `${others.length + 1} bundles of one crash`)
        if (path === undefined) return
        const { manifest, texts } = await checkBundle(path, core)
        for (const { message } of manifest.problems) assertOneLine(message, 'a problem')
        if (!sound) return
        for (const [name, content] of texts) {
          promised(!content.includes(CANARY), () => `a secret is in ${name}: ${content}`)
        }
      },
      end: () => runtime.close(),
    }
  },
}

/** Sound: every value of an environment variable is where such values are. */
function answersOf(random: Random, sound: boolean, logPath: string): Record<string, object> {
  const all = new Map(
    Object.entries(GRPC).map(([name, answer]) => [
      name,
      sound ? answer : distortObject(random, answer),
    ]),
  )
  const answer = all.get('ContainerStatus')
  if (v.is(v.object({ status: v.looseObject({}) }), answer) && random.once(2)) {
    Object.assign(answer.status, { logPath })
  }
  return Object.fromEntries(all)
}

function logOf(random: Random): Buffer {
  const lines = random.times(random.below(30), () =>
    random.pick([
      `2026-01-01T00:00:00.0Z stdout F ${text(random)}`,
      `2026-01-01T00:00:00.0Z stderr P ${text(random)}`,
      text(random),
    ]),
  )
  return Buffer.from(lines.join('\n'))
}

function argsOf(random: Random): Buffer[] {
  const names = ['e', 'h', 'E'].map((flag) =>
    Buffer.concat([
      Buffer.from(`-${flag}=`),
      random.once(2) ? word(random, 255) : Buffer.from('web-1'),
    ]),
  )
  const numbers = ['-s=11', '-p=1', '-t=1700000200', `-P=${PID}`, `-I=${PID}`, '-u=1000', '-g=1000']
  const known = random.once(4) ? numbers.slice(0, 3) : numbers
  return [...names, ...known.map((each) => Buffer.from(each))]
}
