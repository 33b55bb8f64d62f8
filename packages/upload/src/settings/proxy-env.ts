import { NoProxy } from '../no-proxy.ts'
import type { SettingProblem } from './parse-variables.ts'

const NAMES = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
])

/** Proxies for the way to the store, by the usual variables; lower case wins, as in curl(1). */
export function proxySettings(env: Readonly<NodeJS.ProcessEnv>): {
  readonly proxyEnv?: Readonly<Record<string, string>>
  /** Passwords in the URLs. */
  readonly secrets: readonly string[]
  readonly problems: readonly SettingProblem[]
} {
  const proxyEnv: Record<string, string> = {}
  const secrets: string[] = []
  const problems: SettingProblem[] = []
  for (const variable of NAMES) {
    const value = withScheme(env[variable]?.trim() ?? '', variable)
    if (value === '') continue
    const isList = /^no_proxy$/i.test(variable)
    if (isList) {
      for (const got of new NoProxy(value).unknown) {
        problems.push({ variable, got, message: 'is no host, IP address or CIDR block; ignored' })
      }
    }
    const url = isList ? undefined : parse(value)
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
function parse(value: string): URL | null {
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
