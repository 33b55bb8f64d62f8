import { readFileSync } from 'node:fs'
import type { S3Credentials } from '@core-dump-handler/upload'
import type { SettingProblem } from './problem.ts'
import type { DestinationSettings } from './settings.ts'
import type { Variables } from './variables.ts'

/** Where bundles go: `DESTINATION`, else the S3 variables of version 9. */
export function destinationSettings(
  variables: Variables,
  credentials: S3Credentials | undefined,
): DestinationSettings | undefined {
  const { S3_BUCKET_NAME: bucket, S3_PREFIX: prefix } = variables
  const url =
    variables.DESTINATION ??
    (bucket && `s3://${[bucket, ...prefix.split('/').filter(Boolean)].join('/')}`)
  if (url === undefined) return undefined
  const sdkEndpoint = variables.AWS_ENDPOINT_URL_S3 ?? variables.AWS_ENDPOINT_URL

  return {
    url,
    s3: {
      ...place(variables.S3_ENDPOINT, variables.S3_REGION),
      checksum: variables.S3_CHECKSUM,
      ...defined({
        // a store that is not AWS rarely has a host name for each bucket
        pathStyle: variables.S3_PATH_STYLE ?? (sdkEndpoint ? true : undefined),
        credentials,
        caFile: variables.S3_CA_FILE,
        serverSideEncryption: variables.S3_SSE,
        kmsKeyId: variables.S3_KMS_KEY_ID,
        storageClass: variables.S3_STORAGE_CLASS,
        partBytes: variables.S3_PART_BYTES,
        workers: variables.S3_WORKERS,
      }),
    },
  }
}

/** Both keys, from files or variables, or neither: half a pair would only hide the node's own role. */
export function s3Credentials(variables: Variables): {
  readonly credentials?: S3Credentials
  readonly problems: readonly SettingProblem[]
} {
  const problems: SettingProblem[] = []
  const fromFile = (variable: 'S3_ACCESS_KEY_FILE' | 'S3_SECRET_FILE'): string | undefined => {
    const path = variables[variable]
    if (path === undefined) return undefined
    try {
      const value = readFileSync(path, 'utf8').trim()
      if (/^[!-~]+$/.test(value)) return value
      const found = value === '' ? 'the file is empty' : 'the file holds blanks or control bytes'
      problems.push({ variable, got: path, message: `${found}; taken as not set` })
    } catch (error) {
      const why = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      problems.push({ variable, got: path, message: `cannot read it: ${why}; taken as not set` })
    }
    return undefined
  }
  const accessKeyId = fromFile('S3_ACCESS_KEY_FILE') ?? variables.S3_ACCESS_KEY
  const secretAccessKey = fromFile('S3_SECRET_FILE') ?? variables.S3_SECRET

  // the service account's own role wins, as it did in version 9
  if (variables.AWS_WEB_IDENTITY_TOKEN_FILE) return { problems }
  if (accessKeyId && secretAccessKey) {
    return { credentials: { accessKeyId, secretAccessKey }, problems }
  }
  if (accessKeyId || secretAccessKey) {
    problems.push({
      variable: accessKeyId ? 'S3_SECRET' : 'S3_ACCESS_KEY',
      message: 'is missing, so the other key is not used either; the SDK looks for credentials',
    })
  }
  return { problems }
}

/** Version 9 took a region it did not know for the host name of the store. */
function place(
  endpoint: string | undefined,
  region: string | undefined,
): { endpoint?: string; region?: string } {
  const isHost = endpoint === undefined && region !== undefined && /[.:/]/.test(region)
  const host = isHost ? region : endpoint
  return defined({
    endpoint: host && (/^https?:\/\//i.test(host) ? host : `https://${host}`),
    region: isHost ? undefined : region,
  })
}

function defined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const kept = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(kept) as { [K in keyof T]?: NonNullable<T[K]> }
}
