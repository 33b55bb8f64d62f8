import { readFile } from 'node:fs/promises'
import { getCACertificates } from 'node:tls'
import { S3Client } from '@aws-sdk/client-s3'
import type { S3ClientConfig } from '@aws-sdk/client-s3'
import { UploadError } from '../error.ts'
import { show } from '../show.ts'
import { StoreHandler } from './handler.ts'
import type { S3Options } from './options.ts'

const FALLBACK_REGION = 'us-east-1'

/** A client with the settings that survived slow, dead and old stores. */
export async function makeClient(options: S3Options): Promise<S3Client> {
  const { endpoint, credentials, checksum = 'required', maxAttempts = 5 } = options
  const checksums = checksum === 'required' ? 'WHEN_REQUIRED' : 'WHEN_SUPPORTED'
  const config: S3ClientConfig = {
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
    followRegionRedirects: true,
    // `adaptive` would slow every request down after one refusal
    retryMode: 'standard',
    maxAttempts,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    requestHandler: new StoreHandler({
      ca: options.caFile === undefined ? undefined : await trusted(options.caFile),
      proxyEnv: options.proxyEnv,
      connectTimeoutMs: options.connectTimeoutMs ?? 5000,
      idleTimeoutMs: options.idleTimeoutMs ?? 60_000,
      maxAttempts,
    }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(credentials === undefined ? {} : { credentials: copyOf(credentials) }),
  }
  const client = new S3Client(config)
  // a region is part of every signature, also where the store has none
  const known = await client.config.region().catch(() => undefined)
  return known === undefined ? new S3Client({ ...config, region: FALLBACK_REGION }) : client
}

/** The SDK writes into what it is given. */
function copyOf(
  credentials: NonNullable<S3Options['credentials']>,
): NonNullable<S3Options['credentials']> {
  return typeof credentials === 'function' ? credentials : { ...credentials }
}

async function trusted(caFile: string): Promise<string[]> {
  try {
    return [...getCACertificates('default'), await readFile(caFile, 'utf8')]
  } catch (cause) {
    throw new UploadError('TLS', `Cannot read the CA file ${show(caFile)}: give a PEM file`, {
      cause,
    })
  }
}
