import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { execaSync } from 'execa'
import type { Architecture } from './executable/architecture.ts'
import { RUNTIME_ENV } from './runtime-env.ts'
import { sourceDateEpoch } from './sbom.ts'

/** One platform of the image: its uncompressed layer and the labels and command around it. */
export interface Platform {
  readonly architecture: Architecture
  readonly layerTar: Buffer
}

interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const INDEX = 'application/vnd.oci.image.index.v1+json'
const CONFIG = 'application/vnd.oci.image.config.v1+json'
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'

/**
 * Writes an OCI image layout (image-spec 1.1) with one multi-arch index named `reference` into
 * `dir`, and returns the digest that a registry will give it.
 */
export function writeOciLayout(
  dir: string,
  reference: string,
  platforms: readonly Platform[],
): string {
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(join(dir, 'blobs/sha256'), { recursive: true })
  const manifests = platforms.map((platform) => ({
    ...writeManifest(dir, platform),
    platform: { architecture: platform.architecture.debian, os: 'linux' },
  }))
  const index = writeJson(dir, INDEX, { schemaVersion: 2, mediaType: INDEX, manifests })
  const annotations = {
    'io.containerd.image.name': reference,
    'org.opencontainers.image.ref.name': reference.slice(reference.lastIndexOf(':') + 1),
  }
  writeFileSync(join(dir, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  writeFileSync(
    join(dir, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [{ ...index, annotations }] }),
  )
  return index.digest
}

function writeManifest(dir: string, { architecture, layerTar }: Platform): Descriptor {
  const layer = writeBlob(dir, LAYER, gzipSync(layerTar, { level: 6 }))
  const created = new Date(sourceDateEpoch() * 1000).toISOString()
  const config = writeJson(dir, CONFIG, {
    architecture: architecture.debian,
    os: 'linux',
    created,
    config: IMAGE_CONFIG,
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layerTar)}`] },
    history: [{ created, created_by: 'npm run image' }],
  })
  return writeJson(dir, MANIFEST, {
    schemaVersion: 2,
    mediaType: MANIFEST,
    config,
    layers: [layer],
  })
}

/** Read because of `--use-system-ca`: a CA bundle that is mounted there is trusted. Without a directory Node prints a warning. */
const CERTIFICATES = [
  'SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt',
  'SSL_CERT_DIR=/etc/ssl/certs',
]

/** What a container of the image runs by default; the Dockerfile has the same. */
export const IMAGE_CONFIG = {
  Entrypoint: ['/app/core-dump-agent'],
  Env: [
    'PATH=/app:/usr/bin',
    ...CERTIFICATES,
    ...Object.entries(RUNTIME_ENV).map(([name, value]) => `${name}=${value}`),
  ],
  WorkingDir: '/',
  Labels: {
    'org.opencontainers.image.title': 'core-dump-handler',
    'org.opencontainers.image.licenses': 'Apache-2.0',
  },
} as const

function writeJson(dir: string, mediaType: string, value: object): Descriptor {
  return writeBlob(dir, mediaType, Buffer.from(JSON.stringify(value)))
}

function writeBlob(dir: string, mediaType: string, bytes: Buffer): Descriptor {
  const hex = sha256(bytes)
  writeFileSync(join(dir, 'blobs/sha256', hex), bytes)
  return { mediaType, digest: `sha256:${hex}`, size: bytes.length }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The files below `root` as one tar: sorted, owned by root, with one time, so always the same bytes. */
export function tarOf(root: string): Buffer {
  const order = ['--format=ustar', '--sort=name', `--mtime=@${sourceDateEpoch()}`]
  const owner = ['--owner=0', '--group=0', '--numeric-owner']
  const { stdout } = execaSync('tar', ['-cf', '-', ...order, ...owner, '-C', root, '.'], {
    encoding: 'buffer',
    maxBuffer: 2 ** 30,
    stripFinalNewline: false,
  })
  return Buffer.from(stdout)
}
