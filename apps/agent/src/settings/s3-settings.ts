import { readFileSync } from 'node:fs'
import type { S3Credentials, S3Options } from '@core-dump-handler/upload'
import { codeOf, messageOf } from '../error.ts'
import type { SettingProblem } from './parse-variables.ts'
import type { Variables } from './variables.ts'

/** Where bundles go. */
export interface DestinationSettings {
  /** `s3://bucket/prefix` or `file:/directory`, without credentials. */
  readonly url: string
  readonly s3: S3Options
}

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
      ...storeAddress(variables.S3_ENDPOINT, variables.S3_REGION),
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
function storeAddress(
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
  const kept: { [K in keyof T]?: NonNullable<T[K]> } = {}
  for (const name in values) {
    const value = values[name]
    if (value !== undefined && value !== null) kept[name] = value
  }
  return kept
}

type KeyFile = 'S3_ACCESS_KEY_FILE' | 'S3_SECRET_FILE'

/** Both keys as they are now. */
export interface S3Keys {
  readonly credentials?: S3Credentials
  readonly problems: readonly SettingProblem[]
  /** Set where files hold them, which may change while the agent runs: reads the files again. @throws Error naming the file */
  readonly readAgain?: () => S3Credentials
}

/** Both keys, from files or variables, or neither: half a pair would only hide the node's own role. */
export function s3Keys(variables: Variables): S3Keys {
  const problems: SettingProblem[] = []
  const fromFile = (variable: KeyFile): string | undefined => {
    const path = variables[variable]
    if (path === undefined) return undefined
    try {
      return readKey(path)
    } catch (error) {
      problems.push({ variable, got: path, message: `${messageOf(error)}; taken as not set` })
      return undefined
    }
  }
  const accessKeyIdOfFile = fromFile('S3_ACCESS_KEY_FILE')
  const secretOfFile = fromFile('S3_SECRET_FILE')
  const accessKeyId = accessKeyIdOfFile ?? variables.S3_ACCESS_KEY
  const secretAccessKey = secretOfFile ?? variables.S3_SECRET

  // the service account's own role wins, as it did in version 9
  if (variables.AWS_WEB_IDENTITY_TOKEN_FILE) return { problems }
  if (accessKeyId && secretAccessKey) {
    const readAgain = (): S3Credentials => ({
      accessKeyId: accessKeyIdOfFile ? readKey(variables.S3_ACCESS_KEY_FILE ?? '') : accessKeyId,
      secretAccessKey: secretOfFile ? readKey(variables.S3_SECRET_FILE ?? '') : secretAccessKey,
    })
    const hasFile = accessKeyIdOfFile ?? secretOfFile
    return {
      credentials: { accessKeyId, secretAccessKey },
      problems,
      ...(hasFile && { readAgain }),
    }
  }
  if (accessKeyId || secretAccessKey) {
    problems.push({
      variable: accessKeyId ? 'S3_SECRET' : 'S3_ACCESS_KEY',
      message: 'is missing, so the other key is not used either; the SDK looks for credentials',
    })
  }
  return { problems }
}

function readKey(path: string): string {
  let value: string
  try {
    value = readFileSync(path, 'utf8').trim()
  } catch (cause) {
    const why = codeOf(cause) ?? String(cause)
    throw new Error(`cannot read \`${path}\`: ${why}`, { cause })
  }
  if (/^[!-~]+$/.test(value)) return value
  const found = value === '' ? 'is empty' : 'holds blanks or control bytes'
  throw new Error(`\`${path}\` ${found}`)
}
