import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { corePattern } from '@core-dump-handler/composer'
import { readSysctl, sysctlPath } from '@core-dump-handler/sysctl'
import { messageOf } from '../error.ts'
import type { Log } from '../log/open-log.ts'
import { wasRemoved } from '../node/node-files.ts'
import type { Attempt } from '../node/prepare-node.ts'
import { CORE_PATTERN, socketPattern } from '../node/sysctls.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { ReceiverLink, type ReceiverState } from './receiver-link.ts'
import { switchToSocket } from './switch-to-socket.ts'

const LOOK_MS = 250
const RETRY_MS = 30_000
const CORE_MODES = '/proc/sys/kernel/core_modes'

/** How crashes come, and why not through the socket where it is asked for. */
export interface Entry {
  /** `none`: the kernel would connect to a receiver, and none listens; crashes are lost. */
  readonly entry: 'socket' | 'pipe' | 'none'
  readonly detail: string
}

/**
 * Keeps the receiver's pattern in force while the receiver listens, and the composer's at all other
 * times; nothing where RECEIVER_MODE is `off`. Until the attempt is aborted.
 */
export class ReceiverKeeper {
  readonly #settings: AgentSettings
  readonly #log: Log
  readonly #attempt: Attempt
  readonly #onEntry: (entry: Entry) => void
  readonly #pipePattern: string
  readonly #link: ReceiverLink
  #reported = ''
  #retryAtMs = 0

  constructor(
    settings: AgentSettings,
    log: Log,
    attempt: Attempt,
    onEntry: (entry: Entry) => void,
  ) {
    this.#settings = settings
    this.#log = log
    this.#attempt = attempt
    this.#onEntry = onEntry
    this.#pipePattern = corePattern(settings.hostDir).pattern
    this.#link = new ReceiverLink({
      hostDir: settings.hostDir,
      // no pattern is set in place of that of the node's configuration
      pipePattern: settings.kernelManagedBy === 'agent' ? this.#pipePattern : undefined,
      signal: attempt.signal,
      onState: ({ stopping }) => {
        if (stopping) this.#fallBack('it is ending')
      },
      onDown: (why) => {
        this.#fallBack(why)
        // a new one is to be used as soon as it is there
        this.#retryAtMs = 0
      },
    })
  }

  /** The running receiver: its process, and the unfinished bundles that it writes. */
  get receiver(): { readonly pid: number; readonly parts: readonly string[] } | undefined {
    return this.#link.state
  }

  async run(): Promise<void> {
    const { signal } = this.#attempt
    if (this.#settings.receiverMode === 'off') return
    const why = whyNoSocket(this.#settings)
    if (why !== undefined) return this.#report({ entry: 'pipe', detail: why })
    // this agent ends: until another one is there, the receiver would be alone
    signal.addEventListener('abort', () => this.#fallBack('the agent is ending'), { once: true })
    void this.#link.run()
    while (!signal.aborted) {
      await this.#look().catch((err: unknown) => {
        this.#log.error({ err }, 'cannot look after the receiver')
      })
      await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  async #look(): Promise<void> {
    const { hostDir } = this.#settings
    const { state } = this.#link
    const wanted = socketPattern(hostDir)
    const found = await readSysctl(CORE_PATTERN)
    if (this.#settings.kernelManagedBy === 'node')
      return this.#report(entryOfNode(found === wanted, state))
    if (state === undefined || state.stopping) {
      this.#fallBack('no receiver runs')
      const detail = `no receiver listens for \`${hostDir}\``
      return this.#report({ entry: 'pipe', detail })
    }
    if (found === wanted)
      return this.#report({
        entry: 'socket',
        detail: `the kernel connects to the receiver ${state.version}`,
      })
    // another program's: the watch of the node restores ours first
    if (found !== this.#pipePattern || performance.now() < this.#retryAtMs) return
    if (await wasRemoved(hostDir)) return
    this.#retryAtMs = performance.now() + RETRY_MS
    try {
      await switchToSocket(this.#settings, this.#attempt)
      if (this.#link.state === undefined || (await wasRemoved(hostDir))) {
        this.#fallBack('it ended while it was tried')
      }
    } catch (error) {
      this.#fallBack('it was tried without success')
      this.#report({ entry: 'pipe', detail: messageOf(error) })
    }
  }

  /** The composer's pattern, where the receiver's is in force. Synchronous: crashes are lost meanwhile. */
  #fallBack(why: string): void {
    const { hostDir, sysctlRoot, kernelManagedBy } = this.#settings
    if (kernelManagedBy === 'node') return
    const path = sysctlPath(CORE_PATTERN, { root: sysctlRoot })
    try {
      if (readFileSync(path, 'utf8').trimEnd() !== socketPattern(hostDir)) return
      writeFileSync(path, `${this.#pipePattern}\n`)
      this.#log.warn({ why }, 'the kernel starts a composer for each crash again')
    } catch (err) {
      this.#log.error({ err }, 'cannot set the pattern of the composer')
    }
  }

  #report(entry: Entry): void {
    const text = `${entry.entry}: ${entry.detail}`
    if (text === this.#reported) return
    this.#reported = text
    this.#log.info(entry, 'how crashes come')
    this.#onEntry(entry)
  }
}

/** Where the node's configuration has set the pattern: `isSocket`, that of the receiver. */
function entryOfNode(isSocket: boolean, state: ReceiverState | undefined): Entry {
  if (!isSocket) return { entry: 'pipe', detail: 'the configuration of this node has set it' }
  return state === undefined
    ? { entry: 'none', detail: 'no receiver listens: crashes are lost until one does' }
    : { entry: 'socket', detail: `the kernel connects to the receiver ${state.version}` }
}

/** Why this kernel cannot connect to a receiver; undefined where it may. */
function whyNoSocket({ sysctlRoot }: AgentSettings): string | undefined {
  if (sysctlRoot !== '/proc/sys' && !sysctlRoot.endsWith('/proc/sys')) {
    return `the sysctls in \`${sysctlRoot}\` are not those of this kernel`
  }
  try {
    const modes = readFileSync(CORE_MODES, 'utf8').split('\n')
    return modes.includes('socket')
      ? undefined
      : `this kernel has no coredump sockets, only ${modes.filter(Boolean).join(', ')}`
  } catch {
    return 'this kernel has no coredump sockets: they came with Linux 6.17'
  }
}
