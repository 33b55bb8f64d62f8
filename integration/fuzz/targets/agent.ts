import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execaSync } from 'execa'
import * as v from 'valibot'
import { startAgent } from '@core-dump-handler/testing/agent/start-agent'
import type { Random } from '../generate/random.ts'
import { FORGED, text, word } from '../generate/text.ts'
import { crowd, OTHER } from '../support/crowded-directory.ts'
import { assertJson, assertOneLine, promised } from '../support/promises.ts'
import { KEYS } from '../support/secrets.ts'
import type { Target } from '../support/target.ts'
import { changes, treeOf } from '../support/tree.ts'

const LIMIT_MS = 25_000
const OUTSIDE = 'kept outside'
const SETTINGS = [
  'INTERVAL',
  'SCHEDULE',
  'USE_INOTIFY',
  'S3_REGION',
  'S3_ENDPOINT',
  'S3_PREFIX',
  'S3_SSE',
  'S3_PART_BYTES',
  'SUID_DUMPABLE',
  'LOG_LEVEL',
  'RUST_LOG',
  'CRIO_ENDPOINT',
  'COMP_TIMEOUT',
  'COMP_FILENAME_TEMPLATE',
  'COMP_CORE_EVENT_DIR',
]

const LOG_LINE = v.object({
  level: v.picklist(['debug', 'info', 'warn', 'error', 'fatal']),
  msg: v.string(),
})

export const agent: Target = {
  name: 'agent',
  what: 'the agent, with hostile settings, sysctls and bundles: what it logs and prints',
  begin() {
    return {
      async round(random, root) {
        for (const name of ['cores', 'outside', 'target', 'sys/kernel', 'sys/fs', 'host']) {
          mkdirSync(join(root, name), { recursive: true })
        }
        writeFileSync(join(root, 'outside/precious'), OUTSIDE)
        writeFileSync(join(root, 'outside/other'), OTHER)
        writeFileSync(join(root, 'sys/kernel/core_pattern'), word(random, 127))
        writeFileSync(join(root, 'sys/kernel/core_pipe_limit'), '0\n')
        writeFileSync(join(root, 'sys/fs/suid_dumpable'), '0\n')
        crowd(random, join(root, 'cores'), join(root, 'outside'), 'http://127.0.0.1:9')
        leaveLog(random, join(root, 'host/composer.log'), join(root, 'outside/precious'))
        const before = treeOf(root)
        const command = random.pick(['sweep', 'sweep', 'status', 'remove', 'logs'])
        const { code, output } = await run(command, settingsOf(random, root))
        promised(code === 0 || code === 1, () => `exit code ${code}: ${output}`)
        assertOutput(output, command)
        const strange = changes(before, treeOf(root)).filter(
          (path) => !/^((cores|target|sys)\/|host\/composer\.log$)/.test(path),
        )
        promised(strange.length === 0, () => `touched: ${JSON.stringify(strange)}`)
      },
    }
  },
}

/** Of the composer: what crashed processes say of themselves is in it, of version 9's as it is. */
function leaveLog(random: Random, path: string, outside: string): void {
  const kind = random.below(6)
  if (kind === 0) execaSync('mkfifo', [path])
  else if (kind === 1) symlinkSync(outside, path)
  else if (kind === 2) writeFileSync(path, random.bytes(random.below(3000)))
  else writeFileSync(path, random.times(random.below(20), () => text(random)).join('\n'))
}

function settingsOf(random: Random, root: string): Record<string, string> {
  const hostile = SETTINGS.filter(() => random.once(3)).map((name) => [
    name,
    text(random).replaceAll('\0', ''),
  ])
  return {
    PATH: process.env['PATH'] ?? '',
    ...Object.fromEntries(hostile),
    HOST_DIR: join(root, 'host'),
    CORE_DIR: join(root, 'cores'),
    SYSCTL_ROOT: join(root, 'sys'),
    DESTINATION: `file:${join(root, 'target')}`,
    S3_ACCESS_KEY: KEYS.accessKeyId,
    S3_SECRET: KEYS.secretAccessKey,
  }
}

async function run(
  command: string,
  env: Record<string, string>,
): Promise<{ code: number | string; output: string }> {
  const child = startAgent([command], env)
  const timer = setTimeout(() => void child.kill('SIGKILL'), LIMIT_MS)
  const code = await child.ended
  clearTimeout(timer)
  return { code, output: child.output() }
}

/** Lines of JSON with a text of ours, or those of `status`; nothing else, and no key. */
function assertOutput(output: string, command: string): void {
  for (const key of Object.values(KEYS)) {
    promised(!output.includes(key), () => `a key is in the output: ${output}`)
  }
  for (const line of output.split('\n').slice(0, -1)) {
    assertOneLine(line, 'a line')
    if (command === 'status' && /^(not ok|ok {4}) {2}\w/.test(line)) continue
    promised(!line.includes(OUTSIDE), () => `a link was followed: ${line}`)
    // what version 9 let a process write into the log is there
    if (command === 'logs') continue
    const entry = assertJson(line, 'a line of the log')
    promised(v.is(LOG_LINE, entry), () => line)
    promised(!entry.msg.includes(FORGED), () => line)
  }
}
