import { statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { parseArchitectures } from './executable/architecture.ts'
import { buildComposer } from './executable/build.ts'
import { reportFailure } from './executable/fail.ts'
import { ensureBuildTools } from './executable/packages.ts'

const USAGE = `usage: npm run build:composer -- [--arch x64,arm64] [--out DIR]

Builds the composer as one executable with its private loader and libraries.
  --arch  architectures, comma-separated (default: this machine's)
  --out   directory to make them in (default: image/dist/composer); one folder per architecture`

const DIST = new URL('dist', import.meta.url).pathname

const { values } = parseArgs({
  options: { arch: { type: 'string' }, out: { type: 'string' }, help: { type: 'boolean' } },
})
if (values.help) console.log(USAGE)
else await reportFailure(() => build(values.arch, values.out ?? `${DIST}/composer`))

async function build(arch: string | undefined, out: string): Promise<void> {
  const architectures = parseArchitectures(arch)
  ensureBuildTools(architectures)
  for (const architecture of architectures) {
    const dir = `${out}/${architecture.node}`
    const { node, libraries } = await buildComposer(architecture, {
      dir,
      cacheDir: `${DIST}/cache`,
    })
    const mebibytes = (statSync(`${dir}/cdc`).size / 2 ** 20).toFixed(1)
    const versions = libraries.map(({ name, version }) => `${name} ${version}`).join(', ')
    console.log(`${dir}/cdc  ${mebibytes} MiB, Node ${node.version}, ${versions}`)
  }
}
