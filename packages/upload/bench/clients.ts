import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { findProgram } from '@core-dump-handler/testing/find-program'
import { BUCKET, REGION, type S3Account } from '@core-dump-handler/testing/store/object-store'

export interface Client {
  readonly name: string
  readonly command: (file: string, key: string) => [string, ...string[]]
  readonly env: Readonly<Record<string, string>>
}

interface Peer {
  readonly args: (endpoint: string, file: string, key: string) => string[]
  readonly env?: (endpoint: string) => Readonly<Record<string, string>>
  readonly install: string
}

const MIB = 1024 * 1024
const REGIONS = { AWS_REGION: REGION, AWS_DEFAULT_REGION: REGION }

const PEERS: Readonly<Record<string, Peer>> = {
  rclone: {
    args: (_, file, key) => ['copyto', file, `:s3:${BUCKET}/${key}`, '--s3-no-check-bucket'],
    env: (endpoint) => ({
      RCLONE_S3_PROVIDER: 'Other',
      RCLONE_S3_ENV_AUTH: 'true',
      RCLONE_S3_ENDPOINT: endpoint,
      RCLONE_CONFIG: '/dev/null',
      // else it waits a second with each part for an answer that some servers never send
      RCLONE_EXPECT_CONTINUE_TIMEOUT: '0s',
      // with one, version 1.60 fails before it sends anything
      AWS_CA_BUNDLE: '',
    }),
    install: 'as root: apt-get install rclone',
  },
  aws: {
    args: (endpoint, file, key) => ['--endpoint-url', endpoint, 's3', 'cp', file, uri(key)],
    install: 'as root: apt-get install awscli',
  },
  s5cmd: {
    args: (endpoint, file, key) => ['--endpoint-url', endpoint, 'cp', file, uri(key)],
    install: 'node packages/testing/src/tools/main.ts s5cmd',
  },
}

/** Ours with a number of workers and MiB of a part, such as `2x8`. */
export function ourClient({ endpoint, accessKey, secret }: S3Account, shape: string): Client {
  const [, workers = '', partMiB = ''] = /^(\d+)x(\d+)$/.exec(shape) ?? []
  if (workers === '') throw new TypeError(`Expected --ours to be like 2x8,4x16; got ${shape}`)
  const s3 = {
    endpoint,
    region: REGION,
    credentials: { accessKeyId: accessKey, secretAccessKey: secret },
    workers: Number(workers),
    partBytes: Number(partMiB) * MIB,
  }
  const put = new URL('put.mjs', import.meta.url).pathname
  return {
    name: `ours ${shape} MiB`,
    command: (file, key) => [process.execPath, put, file, `s3://${BUCKET}`, key],
    env: { BENCH_S3: JSON.stringify(s3) },
  }
}

/** The others that are installed; of those that are not, how to install them. */
export function peersNamed(
  { endpoint, accessKey, secret }: S3Account,
  names: readonly string[],
): { peers: Client[]; missing: string[] } {
  const peers: Client[] = []
  const missing: string[] = []
  const keys = { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secret, ...REGIONS }
  for (const name of names) {
    const peer = PEERS[name]
    if (peer === undefined) {
      const known = Object.keys(PEERS).join(', ')
      throw new TypeError(`Expected --peers to be of ${known}; got ${name}`)
    }
    const path = findProgram(name) ?? findMade(name)
    if (path === undefined) missing.push(`${name}: not installed; ${peer.install}`)
    else {
      const env = { ...keys, ...peer.env?.(endpoint) }
      peers.push({ name, command: (...its) => [path, ...peer.args(endpoint, ...its)], env })
    }
  }
  return { peers, missing }
}

/** A tool of `packages/testing/src/tools`. */
function findMade(name: string): string | undefined {
  const tools = new URL('../../../.cache/tools/', import.meta.url).pathname
  try {
    const folder = readdirSync(tools).find((each) => each.startsWith(`${name}-`))
    return folder === undefined ? undefined : join(tools, folder, name)
  } catch {
    return undefined // nothing was built yet
  }
}

function uri(key: string): string {
  return `s3://${BUCKET}/${key}`
}
