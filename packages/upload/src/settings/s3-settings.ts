import { readFileSync } from 'node:fs'
import { constrainedMemory } from 'node:process'
import { errnoOf } from '../error.ts'
import type { S3Credentials, S3Options } from '../s3/options.ts'
import type { DestinationVariables, SettingProblem } from './variables.ts'

/** Where bundles go. */
export interface DestinationSettings {
  /** `s3://bucket/prefix` or `file:/directory`, without credentials. */
  readonly url: string
  readonly s3: S3Options
}

/** Where bundles go: `DESTINATION`, else the S3 variables of version 9. */
export function destinationSettings(
  variables: DestinationVariables,
  keys: Pick<S3Options, 'credentials' | 'credentialFiles'>,
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
        ...keys,
        proxyEnv,
        caFile: variables.S3_CA_FILE,
        serverSideEncryption: variables.S3_SSE,
        kmsKeyId: variables.S3_KMS_KEY_ID,
        storageClass: variables.S3_STORAGE_CLASS,
        verify: variables.S3_VERIFY === 'head' ? undefined : variables.S3_VERIFY,
        partBytes: variables.S3_PART_BYTES,
        workers: variables.S3_WORKERS,
      }),
    },
  }
}

const MIB = 2 ** 20
/** Defaults of the uploads, and the least that S3 takes as a part. */
const PARTS = { bytes: 8 * MIB, workers: 2, minBytes: 5 * MIB }

/**
 * Parts in flight that fit in half of the memory that this container may use; what was asked for is reduced,
 * because the kernel would otherwise end the agent in the middle of each large upload.
 */
export function fitParts(
  {
    S3_PART_BYTES: partBytes = PARTS.bytes,
    S3_WORKERS: workers = PARTS.workers,
  }: DestinationVariables,
  limitBytes: number = constrainedMemory(),
): { partBytes: number; workers: number; problem: SettingProblem } | undefined {
  // no limit is given as 0, or as more than any machine has
  const half = limitBytes / 2
  if (half <= 0 || partBytes * workers <= half) return undefined
  const fewer = Math.max(1, Math.min(workers, Math.floor(half / partBytes)))
  const smaller = Math.max(PARTS.minBytes, Math.min(partBytes, Math.floor(half / fewer)))
  if (fewer === workers && smaller === partBytes) return undefined
  const message = `${workers} parts of ${partBytes} bytes do not fit in half of the memory limit of ${limitBytes} bytes: ${fewer} of ${smaller} bytes are used; raise the limit`
  return { partBytes: smaller, workers: fewer, problem: { variable: 'S3_PART_BYTES', message } }
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

/** How the keys can be got. */
export interface S3Keys {
  /** From variables, or those that files have now. */
  readonly credentials?: S3Credentials
  readonly problems: readonly SettingProblem[]
  /** Set where files hold them, which may come and change while the agent runs: reads them. @throws Error naming the file */
  readonly read?: () => S3Credentials
  readonly files: readonly string[]
}

/** Both keys, from files or variables, or neither: half a pair would only hide the node's own role. */
export function s3Keys(variables: DestinationVariables): S3Keys {
  const access = { file: variables.S3_ACCESS_KEY_FILE, value: variables.S3_ACCESS_KEY }
  const secret = { file: variables.S3_SECRET_FILE, value: variables.S3_SECRET }
  const problems = [
    ...fileProblem('S3_ACCESS_KEY_FILE', access),
    ...fileProblem('S3_SECRET_FILE', secret),
  ]
  // the service account's own role wins, as it did in version 9
  if (variables.AWS_WEB_IDENTITY_TOKEN_FILE) return { problems, files: [] }
  if (isGiven(access) && isGiven(secret)) {
    const read = (): S3Credentials => ({
      accessKeyId: keyOf(access),
      secretAccessKey: keyOf(secret),
    })
    const files = [access.file, secret.file].filter((file) => file !== undefined)
    const credentials = problems.length === 0 ? { credentials: read() } : {}
    return { ...credentials, problems, files, ...(files.length > 0 && { read }) }
  }
  if (isGiven(access) || isGiven(secret)) {
    problems.push({
      variable: isGiven(access) ? 'S3_SECRET' : 'S3_ACCESS_KEY',
      message: 'is missing, so the other key is not used either; the SDK looks for credentials',
    })
  }
  return { problems, files: [] }
}

interface KeySource {
  readonly file: string | undefined
  readonly value: string | undefined
}

function isGiven({ file, value }: KeySource): boolean {
  return file !== undefined || Boolean(value)
}

function keyOf({ file, value = '' }: KeySource): string {
  if (file === undefined) return value
  try {
    return readKey(file)
  } catch (error) {
    if (value === '') throw error
    return value
  }
}

function fileProblem(variable: string, { file, value }: KeySource): SettingProblem[] {
  if (file === undefined) return []
  try {
    readKey(file)
    return []
  } catch (error) {
    const then = value
      ? 'the key of the other variable is used'
      : 'it is read again at each attempt'
    return [
      {
        variable,
        got: file,
        message: `${error instanceof Error ? error.message : String(error)}; ${then}`,
      },
    ]
  }
}

function readKey(path: string): string {
  let value: string
  try {
    value = readFileSync(path, 'utf8').trim()
  } catch (cause) {
    const why = errnoOf(cause) || String(cause)
    throw new Error(`cannot read \`${path}\`: ${why}`, { cause })
  }
  if (/^[!-~]+$/.test(value)) return value
  const found = value === '' ? 'is empty' : 'holds blanks or control bytes'
  throw new Error(`\`${path}\` ${found}`)
}
