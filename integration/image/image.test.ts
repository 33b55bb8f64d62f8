import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { createHash } from 'node:crypto'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { run } from '../harness/program.ts'
import { realParts } from '../harness/requirements.ts'
import { removeScratch, scratchDirectory } from '../harness/scratch.ts'
import { builtImage } from './artefact.ts'

const IMAGE_FOLDER = new URL('../../image', import.meta.url).pathname

realParts('the image', () => {
  let image: Awaited<ReturnType<typeof builtImage>>

  beforeAll(async () => {
    image = await builtImage()
  }, 600_000)

  test('has no shell, nothing for others to write, and is within its size', () => {
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

  test('runs both programs and those of util-linux from its own root alone', async () => {
    const { root } = image
    expect(await runIn(root, '/app/core-dump-agent', '--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(await runIn(root, '/app/cdc', '--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
    for (const program of ['flock', 'chrt', 'ionice']) {
      expect(await runIn(root, `/usr/bin/${program}`, '--version')).toMatch(/util-linux/)
    }
  })

  test('lists what is in it, with the licence of each part', () => {
    const sbom = JSON.parse(
      readFileSync(join(image.root, 'usr/share/sbom/core-dump-handler.spdx.json'), 'utf8'),
    ) as {
      spdxVersion: string
      packages: { SPDXID: string; name: string; versionInfo: string }[]
      relationships: { relatedSpdxElement: string }[]
    }
    expect(sbom.spdxVersion).toBe('SPDX-2.3')
    const names = sbom.packages.map(({ name }) => name)
    expect(names).toEqual(
      expect.arrayContaining([
        `node-linux-${process.arch}`,
        'libc6',
        'util-linux',
        'pino',
        '@aws-sdk/client-s3',
      ]),
    )
    const ids = sbom.packages.map(({ SPDXID }) => SPDXID)
    expect(new Set(ids).size).toBe(ids.length)
    const licences = readdirSync(join(image.root, 'usr/share/licenses'))
    expect(licences).toEqual(
      expect.arrayContaining([
        'core-dump-handler',
        'libc6.copyright',
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

  test('is taken by skopeo, and keeps its digest on the way', async () => {
    const scratch = scratchDirectory()
    onTestFinished(() => removeScratch(scratch))
    const tag = (
      JSON.parse(readFileSync(join(image.layout, 'index.json'), 'utf8')) as {
        manifests: { digest: string; annotations: Record<string, string> }[]
      }
    ).manifests[0]
    const name = tag?.annotations['org.opencontainers.image.ref.name'] ?? ''
    const policy = ['--insecure-policy']
    await run('skopeo', [
      ...policy,
      'copy',
      '--all',
      '-q',
      `oci:${image.layout}:${name}`,
      `oci:${scratch}/copy:${name}`,
    ])
    const copy = JSON.parse(readFileSync(join(scratch, 'copy/index.json'), 'utf8')) as {
      manifests: { digest: string }[]
    }
    expect(copy.manifests[0]?.digest).toBe(tag?.digest)
  })

  test('equals what the Dockerfile makes', async () => {
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
      (await run('buildah', [...storage, ...args], { maxBuffer: 64 << 20 })).stdout
    await buildah('bud', '--isolation', 'chroot', '-t', 'localhost/from-dockerfile', IMAGE_FOLDER)
    const container = (await buildah('from', '--pull-never', 'localhost/from-dockerfile')).trim()
    const root = (await buildah('mount', container)).trim()
    expect(contents(root)).toEqual(contents(image.root))
    const { OCIv1 } = JSON.parse(
      await buildah('inspect', '--type', 'image', 'localhost/from-dockerfile'),
    ) as {
      OCIv1: { config: Record<string, unknown> }
    }
    const { IMAGE_CONFIG } = await import('../../image/oci-layout.ts')
    const { Entrypoint, Env, WorkingDir } = IMAGE_CONFIG
    expect(OCIv1.config).toMatchObject({ Entrypoint, Env, WorkingDir })
    await buildah('rm', container)
  })

  test('is made for arm64 too, where it runs under emulation', async () => {
    const { parseArchitectures } = await import('../../image/executable/architecture.ts')
    const { buildComposer } = await import('../../image/executable/build.ts')
    const { ensureBuildTools } = await import('../../image/executable/packages.ts')
    const { deployExecutable } =
      await import('@core-dump-handler/agent/internal/deploy/deploy-executable')
    const scratch = scratchDirectory()
    onTestFinished(() => removeScratch(scratch))
    const architectures = parseArchitectures('arm64')
    ensureBuildTools(architectures)
    const cacheDir = join(IMAGE_FOLDER, 'dist/cache')
    const [architecture] = architectures
    if (architecture) await buildComposer(architecture, { dir: join(scratch, 'arm64'), cacheDir })
    await deployExecutable(join(scratch, 'arm64/cdc'), scratch)
    const { stdout } = await run('qemu-aarch64-static', [join(scratch, 'cdc'), '--self-test'], {
      env: {},
      cwd: scratch,
    })
    expect(stdout).toMatch(/Node 24\.\d+\.\d+, arm64/)
    expect(stdout).not.toMatch(/^not ok/m)
  }, 300_000)

  test('is the same bytes from the same sources', async () => {
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

async function runIn(root: string, ...command: string[]): Promise<string> {
  return (await run('chroot', [root, ...command])).stdout
}

/** Every file below `root` with its kind, mode and content. */
function contents(root: string): Record<string, string> {
  const described = [...walk(root)].map((path) => {
    const stat = lstatSync(path)
    const what = stat.isFile() ? sha256(path) : ''
    return [relative(root, path), `${(stat.mode & 0o177_777).toString(8)} ${what}`]
  })
  return Object.fromEntries(described) as Record<string, string>
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
