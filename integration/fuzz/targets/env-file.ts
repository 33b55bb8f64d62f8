import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { execaSync } from 'execa'
import {
  COMPOSER_SETTINGS,
  formatComposerEnv,
  type ComposerSettingName,
} from '@core-dump-handler/capture/settings'
import { mutate } from '../generate/mutate.ts'
import type { Random } from '../generate/random.ts'
import { text } from '../generate/text.ts'
import { checkBundle } from '../support/bundle.ts'
import { buildComposer } from '../support/composer.ts'
import { promised } from '../support/promises.ts'
import { ScratchNode } from '../support/scratch-node.ts'
import type { Target } from '../support/target.ts'
import { imageOf } from './elf-image.ts'

const ARGS = ['-e=web', '-p=1', '-s=11', '-t=1700000000', '-E=!usr!bin!web'].map((each) =>
  Buffer.from(each),
)
const SOUND = ['true', 'false', '0', '1', '5', '5000', 'off', 'grpc', 'store', 'zstd', 'refuse']
// in the round a composer is run; the others are over in no time
const PLAIN_ROUNDS = 200

export const envFile: Target = {
  name: 'env-file',
  what: 'the composer, with a `.env` of any content, and what the agent writes into it',
  async begin(directory) {
    const composer = await buildComposer(directory)
    return {
      async round(random, root) {
        for (let left = PLAIN_ROUNDS; left > 0; left--) assertReadsBack(random)
        const content = contentOf(random)
        const node = new ScratchNode(root, ({ home }) => leave(random, join(home, '.env'), content))
        const core = imageOf(random)
        // what reads the bundles here knows no zstd
        const mode = random.pick(['deflate', 'store', 'adaptive'])
        const env = { ...node.env, OVERRIDE_PROC_FOLDER_PATH: '/proc', COMPRESSION_MODE: mode }
        const { code, stderr } = await composer({ args: ARGS, env, cwd: node.cwd, core })
        promised(code === 0 || code === 32, () => `exit code ${code}`)
        promised(stderr === '', () => `stderr: ${JSON.stringify(stderr)}`)
        node.check()
        const [path = '', ...others] = node.bundles()
        promised(others.length === 0, () => `${others.length + 1} bundles of one crash`)
        await checkBundle(path, core)
      },
    }
  },
}

/** The composer reads the same settings that the agent wrote, and no other. */
function assertReadsBack(random: Random): void {
  const values: Partial<Record<ComposerSettingName, string>> = {}
  for (const { name } of COMPOSER_SETTINGS) {
    if (random.once(3)) values[name] = random.once(3) ? random.pick(SOUND) : text(random)
  }
  const written = formatComposerEnv(values)
  const read = parseEnv(written)
  const names = Object.keys(read).toSorted().join()
  const known = COMPOSER_SETTINGS.map(({ name }) => name).toSorted()
  promised(names === known.join(), () => `${JSON.stringify(values)} became the variables ${names}`)
  for (const { name, defaultValue } of COMPOSER_SETTINGS) {
    const given = values[name] ?? defaultValue
    // line breaks cannot be kept, nor all three quotes at once
    if (/\p{Cc}|^\s|\s$/u.test(given) || !['"', "'", '`'].some((one) => !given.includes(one)))
      continue
    const meant = /^(true|false)$/i.test(given) ? given.toLowerCase() : given.toWellFormed()
    const describe = (): string => `${name}: ${JSON.stringify([given, read[name]])}`
    promised(read[name]?.toWellFormed() === meant, describe)
  }
}

/** As a file, or as whatever else may have that name. */
function leave(random: Random, path: string, content: Buffer): void {
  const kind = random.below(20)
  if (kind === 0) execaSync('mkfifo', [path])
  else if (kind === 1) mkdirSync(path)
  else if (kind === 2) symlinkSync(random.pick(['/dev/zero', '.env', 'nowhere']), path)
  else writeFileSync(path, content)
}

function contentOf(random: Random): Buffer {
  if (random.once(6)) return random.bytes(random.below(3000))
  const lines = COMPOSER_SETTINGS.map(({ name, defaultValue }) => {
    const value = random.pick([defaultValue, random.pick(SOUND), text(random)])
    const quote = random.pick(['', '', '', '"', "'", '`'])
    return `${random.pick(['', '', 'export ', ' '])}${name}${random.pick(['=', '=', ' = ', ' '])}${quote}${value}${quote}${random.pick(['\n', '\n', '\r\n', ''])}`
  })
  const whole = Buffer.from(random.once(4) ? random.shuffled(lines).join('') : lines.join(''))
  return random.once(2) ? whole : mutate(random, whole)
}
