import type { Random } from '../generate/random.ts'
import { word } from '../generate/text.ts'
import { checkBundle } from '../support/bundle.ts'
import { buildComposer } from '../support/composer.ts'
import { assertOneLine, promised } from '../support/promises.ts'
import { ScratchNode } from '../support/scratch-node.ts'
import type { Target } from '../support/target.ts'
import { coreOf } from './elf-image.ts'

const TEXTS = ['e', 'h', 'E'] as const
const NUMBERS = ['c', 'p', 's', 't', 'I', 'u', 'g', 'M', 'F'] as const
const LONG: Readonly<Record<string, string>> = {
  e: 'exe-name',
  h: 'hostname',
  E: 'pathname',
  c: 'limit-size',
  p: 'pid',
  s: 'signal',
  t: 'timestamp',
}

export const argv: Target = {
  name: 'argv',
  what: 'the composer, with what a process can make of its names, and a caller of its arguments',
  async begin(directory) {
    const composer = await buildComposer(directory)
    return {
      async round(random, root) {
        const node = new ScratchNode(root)
        const core = coreOf(random)
        const args = argumentsOf(random)
        const env = {
          ...node.env,
          IGNORE_CRIO: 'true',
          CORE_EVENTS: 'true',
          LOG_LEVEL: 'trace',
        }
        const { code, stderr } = await composer({ args, env, cwd: node.cwd, core })
        promised(stderr === '', () => `stderr: ${JSON.stringify(stderr)}`)
        node.check()
        if (args.some((each) => /^(--(help|version|self-test)|-V)/.test(String(each)))) return
        promised(code === (core.length === 0 ? 1 : 0), () => `exit code ${code}`)
        const [path = '', ...others] = node.bundles()
        promised(others.length === 0, () => `${others.length + 1} bundles of one crash`)
        const { manifest } = await checkBundle(path, core)
        for (const { message } of manifest.problems) assertOneLine(message, 'a problem')
      },
    }
  },
}

function argumentsOf(random: Random): Buffer[] {
  const flags = [
    ...TEXTS.map((flag) => [flag, word(random, 255)] as const),
    ...NUMBERS.map((flag) => {
      const sound = Buffer.from(String(random.below(random.pick([3, 40, 2 ** 31]))))
      return [flag, random.once(5) ? word(random, 255) : sound] as const
    }),
  ]
  const words = flags.flatMap(([flag, value]) => written(random, flag, value))
  // a comm that a kernel before 5.3 split at its blanks, and whatever a person may type
  for (let more = random.below(3); more > 0; more--) {
    words.splice(random.below(words.length + 1), 0, word(random, 100))
  }
  return (random.once(4) ? random.shuffled(words) : words).map(keptHere)
}

function written(random: Random, flag: string, value: Buffer): Buffer[] {
  const long = `--${LONG[flag] ?? flag}`
  switch (random.below(LONG[flag] === undefined ? 3 : 6)) {
    case 0:
      return [Buffer.from(`-${flag}`), value]
    case 1:
      return [Buffer.concat([Buffer.from(`-${flag}`), value])]
    case 4:
      return [Buffer.from(long), value]
    case 5:
      return [Buffer.concat([Buffer.from(`${long}=`), value])]
    default:
      return [Buffer.concat([Buffer.from(`-${flag}=`), value])]
  }
}

/** Only a caller other than the kernel chooses the directory. */
function keptHere(each: Buffer): Buffer {
  return /^-(d|-dir)/.test(each.toString('latin1')) ? Buffer.from('-Z') : each
}
