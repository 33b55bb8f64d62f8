import { createReadStream } from 'node:fs'
import { mkdtemp, open, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { execa } from 'execa'
import { CliError, codeOf } from '../error.ts'
import { show } from '../output/output.ts'
import type { BinaryCache, BinarySource } from './binary-sources.ts'
import { foreignArchitecture } from './architecture.ts'
import { TarSearch } from './tar-search.ts'

/** Of containers-transports(5). */
const HAS_TRANSPORT =
  /^(docker|oci|oci-archive|docker-archive|dir|containers-storage|docker-daemon):/

interface Image {
  readonly reference: string
  /** Of the crashed process; absent: that of this machine, which every tool takes by itself. */
  readonly architecture?: string
}

interface ImageTool {
  readonly program: string
  extract(image: Image, take: (tar: Readable) => Promise<void>): Promise<void>
}

/** In this order; the first that is installed and has the image is used. */
const TOOLS: readonly ImageTool[] = [
  { program: 'crane', extract: exportByCrane },
  { program: 'docker', extract: exportByDocker },
  { program: 'podman', extract: exportByPodman },
  { program: 'skopeo', extract: copyBySkopeo },
]

/** A container image, by a tool that knows the registry and its credentials; it is read once for all files. */
export function imageSource(reference: string, cache: BinaryCache): BinarySource {
  return {
    name: `image ${reference}`,
    async find(wanted, onFound) {
      if (wanted.length === 0) return
      const architecture = foreignArchitecture(wanted)
      const image = { reference, ...(architecture !== undefined && { architecture }) }
      const failures: string[] = []
      for (const tool of TOOLS) {
        try {
          const search = new TarSearch(wanted, cache, onFound)
          const read = (tar: Readable): Promise<void> => search.read(tar)
          await tool.extract(image, read)
          if (search.followLinks()) await tool.extract(image, read)
          return
        } catch (error) {
          if (error instanceof CliError) throw error
          if (codeOf(error) !== 'ENOENT') failures.push(`${tool.program}: ${lastLine(error)}`)
        }
      }
      throw new CliError(
        'MISSING_PROGRAM',
        failures.length === 0
          ? 'install crane, docker, podman or skopeo'
          : `no tool can read it: ${failures.join('; ')}`,
      )
    },
  }
}

/** The same option of crane, docker and podman. */
function platform({ architecture }: Image): string[] {
  return architecture === undefined ? [] : ['--platform', `linux/${architecture}`]
}

async function exportByCrane(image: Image, take: (tar: Readable) => Promise<void>): Promise<void> {
  await takeOutput('crane', ['export', ...platform(image), image.reference, '-'], take)
}

async function exportByDocker(image: Image, take: (tar: Readable) => Promise<void>): Promise<void> {
  await withContainer('docker', image, (container) =>
    takeOutput('docker', ['export', container], take),
  )
}

/** To a file: podman opens /dev/stdout by its name, which fails for the sockets that Node gives to a child. */
async function exportByPodman(image: Image, take: (tar: Readable) => Promise<void>): Promise<void> {
  await withContainer('podman', image, (container) =>
    withDirectory(async (directory) => {
      const tar = join(directory, 'image.tar')
      await execa('podman', ['export', '--output', tar, container])
      await take(createReadStream(tar))
    }),
  )
}

/** The container is created and never started. */
async function withContainer(
  program: string,
  image: Image,
  use: (container: string) => Promise<void>,
): Promise<void> {
  const { stdout } = await execa(program, [
    'create',
    ...platform(image),
    image.reference,
    '/cdh-never-runs',
  ])
  const container = stdout.trim().split('\n').at(-1) ?? ''
  try {
    await use(container)
  } finally {
    await execa(program, ['rm', container], { reject: false })
  }
}

async function withDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cdh-image-'))
  try {
    await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Layers are files named by their digests; an image without a transport is one of a registry. */
async function copyBySkopeo(image: Image, take: (tar: Readable) => Promise<void>): Promise<void> {
  const { reference, architecture } = image
  const source = HAS_TRANSPORT.test(reference) ? reference : `docker://${reference}`
  const override = architecture === undefined ? [] : ['--override-arch', architecture]
  await withDirectory(async (directory) => {
    await execa('skopeo', [...override, 'copy', '--quiet', source, `dir:${directory}`])
    for (const file of await readdir(directory)) {
      const path = join(directory, file)
      if (/^[0-9a-f]{64}$/.test(file) && !(await isJson(path))) await take(createReadStream(path))
    }
  })
}

async function isJson(path: string): Promise<boolean> {
  await using file = await open(path)
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 0)
  return buffer.toString() === '{'
}

async function takeOutput(
  program: string,
  args: readonly string[],
  take: (tar: Readable) => Promise<void>,
): Promise<void> {
  const child = execa(program, args, { buffer: { stdout: false } })
  const [ended, taken] = await Promise.allSettled([child, take(child.stdout)])
  if (taken.status === 'rejected' && taken.reason instanceof CliError) throw taken.reason
  // why the program failed says more than that its tar ended
  if (ended.status === 'rejected') throw ended.reason
  if (taken.status === 'rejected') throw taken.reason
}

function lastLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const text = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr : error.message
  return show(text.trim().split('\n').at(-1) ?? '')
}
