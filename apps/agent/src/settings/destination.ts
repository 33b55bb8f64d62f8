import type { S3Options } from '@core-dump-handler/upload'
import type { DestinationSettings } from './settings.ts'
import type { Variables } from './variables.ts'

/** Where bundles go: `DESTINATION`, else the S3 variables of version 9. */
export function destinationSettings(
  variables: Variables,
  credentials: S3Options['credentials'],
  proxyEnv: Readonly<Record<string, string>> | undefined,
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
        proxyEnv,
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
