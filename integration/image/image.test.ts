import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { createHash } from 'node:crypto'
import { execa } from 'execa'
import * as v from 'valibot'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { realParts } from '../real-parts.ts'
import { removeScratch, scratchDirectory } from '@core-dump-handler/testing/scratch-directory'
import { builtImage } from './built-image.ts'

const IMAGE_FOLDER = new URL('../../image', import.meta.url).pathname

realParts('the image', () => {
  let image: Awaited<ReturnType<typeof builtImage>>

  beforeAll(async () => {
    image = await builtImage()
  }, 600_000)

  test('has no shell, no file that others can write, and its size', () => {
    const files = [...walk(image.root)]
    expect(files.filter((path) => /\/(sh|bash|busybox|dash)$/.test(path))).toEqual([])
    const writable = files.filter(
      (path) => !lstatSync(path).isSymbolicLink() && lstatSync(path).mode & 0o022,
    )
    expect(writable.map((path) => relative(image.root, path))).toEqual(['tmp'])
    const bytes = files.reduce((sum, path) => sum + lstatSync(path).size, 0)
    const node = statSync(join(image.root, 'app/cdc')).size
    expect(bytes - node).toBeLessThan(160 * 2 ** 20)
  })

  test('runs its programs and those of util-linux in its own root', async () => {
    const { root } = image
    expect(await runIn(root, '/app/core-dump-agent', '--version')).toMatch(/^\d+\.\d+\.\d+$/)
    expect(await runIn(root, '/app/cdc', '--version')).toMatch(/^\d+\.\d+\.\d+$/)
    for (const program of ['flock']) {
      expect(await runIn(root, `/usr/bin/${program}`, '--version')).toMatch(/util-linux/)
    }
  })

  test('has an SBOM and the licence of each part', () => {
    const path = join(image.root, 'usr/share/sbom/core-dump-handler.spdx.json')
    const sbom = v.parse(SBOM, JSON.parse(readFileSync(path, 'utf8')))
    expect(sbom.spdxVersion).toBe('SPDX-2.3')
    const names = sbom.packages.map(({ name }) => name)
    expect(names).toEqual(
      expect.arrayContaining([
        `node-linux-${process.arch}`,
        'libc6',
        'libisal2',
        `@koromix/koffi-linux-${process.arch}`,
        'util-linux',
        'pino',
        '@aws-sdk/client-s3',
        '@opentelemetry/exporter-logs-otlp-http',
      ]),
    )
    const ids = sbom.packages.map(({ SPDXID }) => SPDXID)
    expect(new Set(ids).size).toBe(ids.length)
    const licences = readdirSync(join(image.root, 'usr/share/licenses'))
    expect(licences).toEqual(
      expect.arrayContaining([
        'core-dump-handler',
        'libc6.copyright',
        'libisal2.copyright',
        'koffi',
        'libstdc++6.copyright',
        'node',
        'npm',
      ]),
    )
    expect(
      readdirSync(join(image.root, 'usr/share/licenses/npm')).some((name) =>
        name.startsWith('pino.'),
      ),
    ).toBe(true)
  })

  test('is copied by skopeo with the same digest', async () => {
    const scratch = scratchDirectory()
    onTestFinished(() => removeScratch(scratch))
    const tag = indexOf(image.layout).manifests[0]
    const name = tag?.annotations?.['org.opencontainers.image.ref.name'] ?? ''
    const policy = ['--insecure-policy']
    await execa('skopeo', [
      ...policy,
      'copy',
      '--all',
      '-q',
      `oci:${image.layout}:${name}`,
      `oci:${scratch}/copy:${name}`,
    ])
    expect(indexOf(join(scratch, 'copy')).manifests[0]?.digest).toBe(tag?.digest)
  })

  test('equals the image of the Dockerfile', async () => {
    const scratch = scratchDirectory()
    onTestFinished(() => removeScratch(scratch))
    const storage = [
      '--root',
      join(scratch, 'root'),
      '--runroot',
      join(scratch, 'run'),
      '--storage-driver',
      'vfs',
    ]
    const buildah = async (...args: string[]): Promise<string> =>
      (await execa('buildah', [...storage, ...args])).stdout
    await buildah('bud', '--isolation', 'chroot', '-t', 'localhost/from-dockerfile', IMAGE_FOLDER)
    const container = (await buildah('from', '--pull-never', 'localhost/from-dockerfile')).trim()
    const root = (await buildah('mount', container)).trim()
    expect(contents(root)).toEqual(contents(image.root))
    const inspected = await buildah('inspect', '--type', 'image', 'localhost/from-dockerfile')
    const { OCIv1 } = v.parse(
      v.object({ OCIv1: v.object({ config: v.looseObject({}) }) }),
      JSON.parse(inspected),
    )
    const { IMAGE_CONFIG } = await import('../../image/oci-layout.ts')
    const { Entrypoint, Env, WorkingDir } = IMAGE_CONFIG
    expect(OCIv1.config).toMatchObject({ Entrypoint, Env, WorkingDir })
    await buildah('rm', container)
  })

  test('is built for arm64, where it runs under emulation', async () => {
    const { parseArchitectures } = await import('../../image/executable/architecture.ts')
    const { buildComposer } = await import('../../image/executable/build.ts')
    const { ensureBuildTools } = await import('../../image/executable/packages.ts')
    const { deployExecutable } =
      await import('@core-dump-handler/agent/internal/deploy/deploy-composer')
    const scratch = scratchDirectory()
    onTestFinished(() => removeScratch(scratch))
    const architectures = parseArchitectures('arm64')
    ensureBuildTools(architectures)
    const cacheDir = join(IMAGE_FOLDER, 'dist/cache')
    const [architecture] = architectures
    if (architecture) await buildComposer(architecture, { dir: join(scratch, 'arm64'), cacheDir })
    await deployExecutable(join(scratch, 'arm64/cdc'), scratch)
    const { stdout } = await execa('qemu-aarch64-static', [join(scratch, 'cdc'), '--self-test'], {
      env: {},
      extendEnv: false,
      cwd: scratch,
    })
    expect(stdout).toMatch(/Node 24\.\d+\.\d+, arm64/)
    expect(stdout).toMatch(/by isal$/m)
    expect(stdout).not.toMatch(/^not ok/m)
  }, 300_000)

  test('has the same bytes for the same sources', async () => {
    const { parseArchitectures } = await import('../../image/executable/architecture.ts')
    const { buildComposer } = await import('../../image/executable/build.ts')
    const scratch = scratchDirectory()
    onTestFinished(() => removeScratch(scratch))
    const [architecture] = parseArchitectures()
    if (architecture)
      await buildComposer(architecture, {
        dir: join(scratch, 'again'),
        cacheDir: join(IMAGE_FOLDER, 'dist/cache'),
      })
    expect(sha256(join(scratch, 'again/cdc'))).toBe(sha256(image.composer))
  }, 300_000)
})

const SBOM = v.object({
  spdxVersion: v.string(),
  packages: v.array(v.object({ SPDXID: v.string(), name: v.string(), versionInfo: v.string() })),
  relationships: v.array(v.object({ relatedSpdxElement: v.string() })),
})
const INDEX = v.object({
  manifests: v.array(
    v.object({ digest: v.string(), annotations: v.optional(v.record(v.string(), v.string())) }),
  ),
})

function indexOf(layout: string): v.InferOutput<typeof INDEX> {
  return v.parse(INDEX, JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')))
}

async function runIn(root: string, ...command: string[]): Promise<string> {
  return (await execa('chroot', [root, ...command])).stdout
}

/** Every file below `root` with its kind, mode and content. */
function contents(root: string): Record<string, string> {
  const described = [...walk(root)].map((path) => {
    const stat = lstatSync(path)
    const what = stat.isFile() ? sha256(path) : ''
    const text = `${(stat.mode & 0o177_777).toString(8)} ${what}`
    return [relative(root, path), text] as const
  })
  return Object.fromEntries(described)
}

function* walk(directory: string): Generator<string> {
  if (!existsSync(directory)) return
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    yield path
    if (entry.isDirectory()) yield* walk(path)
  }
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}
