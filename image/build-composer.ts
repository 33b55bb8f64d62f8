import { statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { parseArchitectures } from './executable/architecture.ts'
import { buildComposer } from './executable/build.ts'
import { BuildError } from './executable/fail.ts'
import { ensureBuildTools } from './executable/packages.ts'

const USAGE = `usage: npm run build:composer -- [--arch x64,arm64] [--out DIR]

Builds the composer as one executable with its private loader and libraries.
  --arch  architectures, comma-separated (default: this machine's)
  --out   directory to make them in (default: image/dist/composer); one folder per architecture`

try {
  const { values } = parseArgs({
    options: { arch: { type: 'string' }, out: { type: 'string' }, help: { type: 'boolean' } },
  })
  if (values.help) {
    console.log(USAGE)
  } else {
    const here = new URL('.', import.meta.url).pathname
    const out = values.out ?? `${here}dist/composer`
    const architectures = parseArchitectures(values.arch)
    ensureBuildTools(architectures)
    for (const architecture of architectures) {
      const dir = `${out}/${architecture.node}`
      const { node, libraries } = await buildComposer(architecture, {
        dir,
        cacheDir: `${here}dist/cache`,
      })
      const mebibytes = (statSync(`${dir}/cdc`).size / 2 ** 20).toFixed(1)
      console.log(
        `${dir}/cdc  ${mebibytes} MiB, Node ${node.version}, ${libraries.map(({ name, version }) => `${name} ${version}`).join(', ')}`,
      )
    }
  }
} catch (error) {
  if (!(error instanceof BuildError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
