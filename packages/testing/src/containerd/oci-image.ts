import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { execaSync } from 'execa'

export interface ImageSpec {
  /** Full name with tag, such as `test.local/crasher:1`. */
  readonly name: string
  /** Path in the image → program on this machine. */
  readonly files: Readonly<Record<string, string>>
  /** Path in the image → what the symbolic link says. */
  readonly links?: Readonly<Record<string, string>>
  readonly config: { readonly Entrypoint?: readonly string[]; readonly Env?: readonly string[] }
}

const EMPTY_DIRECTORIES = ['dev', 'etc', 'proc', 'sys', 'tmp']

/** Write `<directory>.tar`, an OCI image layout of one layer; returns the manifest's digest. */
export function writeOciImage(directory: string, image: ImageSpec): string {
  const root = join(directory, 'root')
  for (const name of EMPTY_DIRECTORIES) mkdirSync(join(root, name), { recursive: true })
  for (const [path, source] of Object.entries(image.files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    copyFileSync(source, join(root, path))
    chmodSync(join(root, path), 0o755)
  }
  for (const [path, target] of Object.entries(image.links ?? {})) {
    symlinkSync(target, join(root, path))
  }
  const layer = join(directory, 'layer')
  tar(root, layer)

  const layout = join(directory, 'layout')
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true })
  const blob = (
    mediaType: string,
    data: Buffer,
  ): { mediaType: string; digest: string; size: number } => {
    const digest = createHash('sha256').update(data).digest('hex')
    writeFileSync(join(layout, 'blobs/sha256', digest), data)
    return { mediaType, digest: `sha256:${digest}`, size: data.length }
  }
  const OCI = 'application/vnd.oci.image'
  const layers = [blob(`${OCI}.layer.v1.tar`, readFileSync(layer))]
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  const rootfs = { type: 'layers', diff_ids: layers.map(({ digest }) => digest) }
  const config = blob(
    `${OCI}.config.v1+json`,
    json({ architecture, os: 'linux', config: image.config, rootfs }),
  )
  const manifest = blob(
    `${OCI}.manifest.v1+json`,
    json({ schemaVersion: 2, mediaType: `${OCI}.manifest.v1+json`, config, layers }),
  )
  const annotations = {
    'io.containerd.image.name': image.name,
    'org.opencontainers.image.ref.name': image.name.split(':').at(-1),
  }
  writeFileSync(join(layout, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }))
  writeFileSync(
    join(layout, 'index.json'),
    json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  )
  tar(layout, `${directory}.tar`)
  rmSync(directory, { recursive: true })
  return manifest.digest
}

function tar(directory: string, archive: string): void {
  const owner = ['--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '--sort=name']
  execaSync('tar', ['--format=ustar', ...owner, '-C', directory, '-cf', archive, '.'])
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}
