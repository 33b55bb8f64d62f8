import { NoProxy } from '../proxies.ts'
import type { S3Options } from '../s3/options.ts'
import { destinationSettings, fitParts, s3Keys } from './s3-settings.ts'
import type { DestinationSettings, S3Keys } from './s3-settings.ts'
import type { DestinationVariables, SettingProblem } from './variables.ts'

/** Where bundles go, as the variables have it; never throws: what cannot be used is in `problems`. */
export interface ReadDestination {
  /** Absent: no variable says where. */
  readonly destination?: DestinationSettings
  /** Values that must never be written anywhere; more are added when key files change. */
  readonly secrets: string[]
  readonly problems: readonly SettingProblem[]
}

/** `variables`: parsed from `env`, which has the proxies and the secrets of the SDK. */
export function readDestination(
  env: Readonly<NodeJS.ProcessEnv>,
  variables: DestinationVariables,
  moreSecrets: readonly string[] = [],
): ReadDestination {
  const keys = s3Keys(variables)
  const proxy = proxySettings(env)
  const problems = [...keys.problems, ...proxy.problems]
  const secrets = secretsOf(env, variables, [
    ...Object.values(keys.credentials ?? {}),
    ...proxy.secrets,
    ...moreSecrets,
  ])
  const parts = fitParts(variables)
  if (parts) problems.push(parts.problem)
  const fitting = parts
    ? { ...variables, S3_PART_BYTES: parts.partBytes, S3_WORKERS: parts.workers }
    : variables
  const destination = destinationSettings(fitting, credentialsOf(keys, secrets), proxy.proxyEnv)
  if (variables.DESTINATION !== undefined && variables.S3_PREFIX !== '') {
    problems.push({
      variable: 'S3_PREFIX',
      got: variables.S3_PREFIX,
      message: 'has no effect beside DESTINATION: write the prefix into that URL',
    })
  }
  return { ...(destination && { destination }), secrets, problems }
}

/** Keys of files are read when they are asked for, and are secrets from then on. */
function credentialsOf(
  { credentials, read, files }: S3Keys,
  secrets: string[],
): Pick<S3Options, 'credentials' | 'credentialFiles'> {
  if (read === undefined) return credentials === undefined ? {} : { credentials }
  return {
    credentials: async () => {
      const keys = read()
      secrets.push(...Object.values(keys).filter((key) => isSecret(key) && !secrets.includes(key)))
      return keys
    },
    credentialFiles: files,
  }
}

function secretsOf(
  env: Readonly<NodeJS.ProcessEnv>,
  { S3_ACCESS_KEY, S3_SECRET }: DestinationVariables,
  more: readonly string[],
): string[] {
  const aws = [env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], env['AWS_SESSION_TOKEN']]
  // also those that could not be used: a broken secret is a secret
  const raw = [env['S3_ACCESS_KEY'], env['S3_SECRET']].map((value) => value?.trim())
  const all = [S3_ACCESS_KEY, S3_SECRET, ...aws, ...raw, ...more]
  return [...new Set(all)].filter(isSecret)
}

/** Shorter ones would take harmless text with them, and are none. */
function isSecret(value: string | undefined): value is string {
  return value !== undefined && value.length >= 6
}

const PROXY_VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
])

/** Proxies for the way to the store, by the usual variables; lower case wins, as in curl(1). */
function proxySettings(env: Readonly<NodeJS.ProcessEnv>): {
  readonly proxyEnv?: Readonly<Record<string, string>>
  /** Passwords in the URLs. */
  readonly secrets: readonly string[]
  readonly problems: readonly SettingProblem[]
} {
  const proxyEnv: Record<string, string> = {}
  const secrets: string[] = []
  const problems: SettingProblem[] = []
  for (const variable of PROXY_VARIABLES) {
    const value = withScheme(env[variable]?.trim() ?? '', variable)
    if (value === '') continue
    const isList = /^no_proxy$/i.test(variable)
    if (isList) {
      for (const got of new NoProxy(value).unknown) {
        problems.push({ variable, got, message: 'is no host, IP address or CIDR block; ignored' })
      }
    }
    const url = isList ? undefined : proxyUrl(value)
    if (url === null) {
      const message = 'expected a URL such as `http://proxy.example:3128`; taken as not set'
      problems.push({ variable, message })
      continue
    }
    if (url?.password)
      secrets.push(url.password, decode(url.password), `${url.username}:${url.password}`)
    proxyEnv[variable] = value
  }
  return { ...(Object.keys(proxyEnv).length > 0 && { proxyEnv }), secrets, problems }
}

/** `proxy.example:3128` as curl(1) takes it. */
function withScheme(value: string, variable: string): string {
  const isBare = /^[\w.-]+:\d{1,5}\/?$/.test(value) && !/^no_proxy$/i.test(variable)
  return isBare ? `http://${value}` : value
}

/** `null`: none that an agent of Node takes. */
function proxyUrl(value: string): URL | null {
  const url = URL.canParse(value) ? new URL(value) : null
  return url && /^https?:$/.test(url.protocol) ? url : null
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
