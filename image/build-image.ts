import { parseArgs } from 'node:util'
import { execaSync } from 'execa'
import { parseArchitectures } from './executable/architecture.ts'
import { buildComposer } from './executable/build.ts'
import { reportFailure } from './executable/fail.ts'
import { ensureBuildTools } from './executable/packages.ts'
import { tarOf, writeOciLayout, type Platform } from './oci-layout.ts'
import { agentPackage } from './app-bundles.ts'
import { assembleRoot } from './root.ts'

const { version } = agentPackage()
const USAGE = `usage: npm run image -- [--arch x64,arm64] [--name NAME:TAG]

Builds the image without a container engine: an OCI layout (image/dist/oci), the same as one
archive (image/dist/image.tar), and the root file system that image/Dockerfile copies.
  --arch  architectures, comma-separated (default: this machine's)
  --name  the name the image gets (default: localhost/core-dump-handler:${version})
Then, for example: skopeo copy --all oci:image/dist/oci docker://REGISTRY/core-dump-handler:${version}`

const { values } = parseArgs({
  options: { arch: { type: 'string' }, name: { type: 'string' }, help: { type: 'boolean' } },
})
const imageName = values.name ?? `localhost/core-dump-handler:${version}`
if (values.help) console.log(USAGE)
else await reportFailure(() => buildImage(values.arch, imageName))

async function buildImage(arch: string | undefined, name: string): Promise<void> {
  const dist = new URL('./dist', import.meta.url).pathname
  const architectures = parseArchitectures(arch)
  ensureBuildTools(architectures)
  const platforms: Platform[] = []
  for (const architecture of architectures) {
    const dir = `${dist}/composer/${architecture.node}`
    const install = await buildComposer(architecture, { dir, cacheDir: `${dist}/cache` })
    const root = `${dist}/root/${architecture.debian}`
    await assembleRoot(architecture, install, root, `${dist}/cache`)
    const tar = tarOf(root)
    console.log(`${root}  ${(tar.length / 2 ** 20).toFixed(1)} MiB unpacked`)
    platforms.push({ architecture, layerTar: tar })
  }
  const digest = writeOciLayout(`${dist}/oci`, name, platforms)
  execaSync('tar', [
    '-cf',
    `${dist}/image.tar`,
    '--sort=name',
    '-C',
    `${dist}/oci`,
    'oci-layout',
    'index.json',
    'blobs',
  ])
  console.log(`${dist}/oci and ${dist}/image.tar  ${name}@${digest}`)
}
