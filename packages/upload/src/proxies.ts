import { BlockList, isIP } from 'node:net'

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

interface HostRule {
  readonly host: string
  /** Any port, when it is absent. */
  readonly port: number | undefined
}

/**
 * Which hosts a `NO_PROXY` variable excludes, as curl(1) and Go's `httpproxy` read it: `*`, names with or without
 * a leading dot that cover their subdomains, IP addresses, CIDR blocks, and ports. No name is resolved.
 */
export class NoProxy {
  /** Entries that mean nothing to any program. */
  readonly unknown: readonly string[]
  readonly #hosts: HostRule[] = []
  readonly #blocks = new BlockList()
  #isAll = false

  constructor(list: string) {
    this.unknown = list.split(/[\s,]+/).filter((entry) => entry !== '' && !this.#add(entry))
  }

  /** Whether a connection to this host (an IPv6 address with or without brackets) bypasses the proxy. */
  covers(hostname: string, port: number): boolean {
    if (this.#isAll) return true
    const host = plainHost(hostname)
    const version = isIP(host)
    if (version > 0 && this.#blocks.check(host, version === 6 ? 'ipv6' : 'ipv4')) return true
    return this.#hosts.some((rule) => {
      if (rule.port !== undefined && rule.port !== port) return false
      return host === rule.host || (version === 0 && host.endsWith(`.${rule.host}`))
    })
  }

  /** Returns false for an entry that is not understood. */
  #add(entry: string): boolean {
    if (entry === '*') return (this.#isAll = true)
    const block = /^(.+)\/(\d{1,3})$/.exec(entry)
    if (block) return this.#addBlock(plainHost(block[1] ?? ''), Number(block[2]))
    const bare = plainHost(entry)
    if (isIP(bare) > 0) return this.#addHost(bare)
    const withPort = /^(.+):(\d{1,5})$/.exec(entry)
    const host = plainHost((withPort?.[1] ?? entry).replace(/^\*?\.(?=.)/, ''))
    const port = withPort ? Number(withPort[2]) : undefined
    const isHost = isIP(host) > 0 || /^[^\s:/*[\]@]+$/.test(host)
    return (
      isHost && (port === undefined || (port > 0 && port < 65_536)) && this.#addHost(host, port)
    )
  }

  #addHost(host: string, port?: number): true {
    const rule = { host, port }
    this.#hosts.push(rule)
    // as a block an address is the same in each way it can be written
    if (port === undefined && isIP(host) > 0) this.#addBlock(host, isIP(host) === 6 ? 128 : 32)
    return true
  }

  #addBlock(address: string, bits: number): boolean {
    const version = isIP(address)
    if (version === 0 || bits > (version === 6 ? 128 : 32)) return false
    this.#blocks.addSubnet(address, bits, version === 6 ? 'ipv6' : 'ipv4')
    return true
  }
}

/** In lower case, without brackets, zone and the dot of the root. */
function plainHost(host: string): string {
  const bare = /^\[(.*)\]$/.exec(host)?.[1] ?? host
  return bare
    .toLowerCase()
    .replace(/%.*$/, '')
    .replace(/(?<=.)\.$/, '')
}
