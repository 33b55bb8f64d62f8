import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openRuntime } from '@core-dump-handler/cri'
import { CANARY, CRICTL } from '../generate/answers.ts'
import { jsonText } from '../generate/json.ts'
import type { Random } from '../generate/random.ts'
import { text } from '../generate/text.ts'
import { lookUpAndCheck } from '../support/found.ts'
import { promised } from '../support/promises.ts'
import type { Target } from '../support/target.ts'

const LOG_SECRET = 'what a container has written'

export const crictl: Target = {
  name: 'crictl',
  what: 'what a crictl prints',
  begin() {
    return {
      async round(random, root) {
        const sound = random.once(3)
        const crictlPath = install(random, root, sound)
        const runtime = openRuntime({ client: 'crictl', crictlPath, callTimeoutMs: 800 })
        const result = await lookUpAndCheck(random, root, runtime)
        const found = JSON.stringify(result)
        if (sound) promised(!found.includes(CANARY), () => `a secret is in ${found}`)
        promised(!found.includes(LOG_SECRET), () => `a log line became a problem: ${found}`)
        ;(await runtime).close()
      },
    }
  },
}

/** More containers than any pod has. */
function crowd(random: Random): object[] {
  return random.times(random.pick([70, 2000]), (index) => ({ id: `c${index}` }))
}

/** A program that prints one file for each of its verbs, and now and then fails, hangs, or dies. */
function install(random: Random, root: string, sound: boolean): string {
  for (const [verb, answer] of Object.entries(CRICTL)) {
    const response = verb === 'ps' && random.once(8) ? { containers: crowd(random) } : answer
    const printed = sound ? Buffer.from(JSON.stringify(response)) : jsonText(random, response)
    writeFileSync(join(root, `answer-${verb}`), printed)
  }
  writeFileSync(join(root, 'answer-logs'), `${LOG_SECRET}\n${text(random)}\n`)
  writeFileSync(join(root, 'complaint'), `${text(random)}\n`)
  const fate = random.pick(['cat', 'cat', 'cat', 'fail', 'loud', 'killed', 'hang', 'stdin'])
  const verb = random.pick(Object.keys(CRICTL).concat('logs'))
  const script = `#!/bin/sh
cd '${root}'
[ "$1" = logs ] && cat answer-logs >&2
case "$1-${sound ? 'cat' : fate}" in
${verb}-fail) cat complaint >&2; exit 1;;
${verb}-loud) head -c 6000000 /dev/zero; exit 0;;
${verb}-killed) kill -9 $$;;
${verb}-hang) sleep 5;;
${verb}-stdin) cat;;
esac
cat "answer-$1"
`
  const path = join(root, 'crictl')
  writeFileSync(path, script)
  chmodSync(path, 0o755)
  return path
}
