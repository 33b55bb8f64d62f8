import { NoProxy } from '../no-proxy.ts'

/** The proxies of a destination, by the variables that other programs read too; lower case wins, as in curl(1). */
export class Proxies {
  /** For an agent of Node, which gets no list of exceptions: whether a host is one is decided here. */
  readonly agentEnv: Readonly<Record<string, string>>
  readonly #exceptions: NoProxy

  constructor(env: Readonly<Record<string, string>>) {
    const value = (name: string): string => env[name.toLowerCase()] ?? env[name] ?? ''
    this.agentEnv = { HTTP_PROXY: value('HTTP_PROXY'), HTTPS_PROXY: value('HTTPS_PROXY') }
    this.#exceptions = new NoProxy(value('NO_PROXY'))
  }

  /** The proxy for a request, without its user and password; undefined when the host is reached directly. */
  for(protocol: string, hostname: string, port: number | undefined): string | undefined {
    const isTls = protocol === 'https:'
    const proxy = this.agentEnv[isTls ? 'HTTPS_PROXY' : 'HTTP_PROXY'] ?? ''
    if (proxy === '' || this.#exceptions.covers(hostname, port ?? (isTls ? 443 : 80))) {
      return undefined
    }
    const { protocol: scheme, host } = new URL(proxy)
    return `${scheme}//${host}`
  }
}
