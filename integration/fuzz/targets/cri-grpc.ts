import { join } from 'node:path'
import { openRuntime } from '@core-dump-handler/cri'
import { CANARY, GRPC } from '../generate/answers.ts'
import { distortObject } from '../generate/json.ts'
import { lookUpAndCheck } from '../support/found.ts'
import { HostileRuntime } from '../support/hostile-runtime.ts'
import { promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'

export const criGrpc: Target = {
  name: 'cri-grpc',
  what: 'answers of a runtime on its socket',
  async begin(directory) {
    const endpoint = join(directory, 'cri.sock')
    const server = await HostileRuntime.listen(endpoint)
    return {
      async round(random, root) {
        // either the messages lie, or the wire, or none
        const mode = random.pick(['lies', 'damage', 'truth'])
        const lies = mode === 'lies'
        const answers = Object.fromEntries(
          Object.entries(GRPC).map(([name, sound]) => [
            name,
            lies ? distortObject(random, sound) : sound,
          ]),
        )
        server.answerWith(random, answers, mode !== 'damage')
        const runtime = openRuntime({ client: 'grpc', endpoint, callTimeoutMs: 300 })
        const result = await lookUpAndCheck(random, root, runtime)
        const text = JSON.stringify(result)
        // a damaged name of a variable is none
        if (mode === 'truth') promised(!text.includes(CANARY), () => `a secret is in ${text}`)
        ;(await runtime).close()
      },
      end: () => server.close(),
    }
  },
}
