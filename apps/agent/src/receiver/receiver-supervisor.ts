import writeFileAtomic from 'write-file-atomic'
import { readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { corePattern } from '@core-dump-handler/composer'
import { readSysctl, sysctlPath } from '@core-dump-handler/sysctl'
import { newCanary } from '../canary/let-crash.ts'
import { tryCanary } from '../canary/try-canary.ts'
import { AgentError, messageOf } from '../error.ts'
import type { Log } from '../log/open-log.ts'
import { nodeFiles, wasRemoved } from '../node/node-files.ts'
import type { Attempt } from '../node/prepare-node.ts'
import { CORE_PATTERN, socketPattern, whyNoSocket } from '../node/sysctls.ts'
import type { AgentSettings } from '../settings/read-settings.ts'
import { entryByComposer, type Entry, entryWithoutFallback } from './entry.ts'
import { ListeningSocket } from './listening-socket.ts'
import { ReceiverLink } from './receiver-link.ts'

const LOOK_MS = 250
const RETRY_MS = 30_000
/** For the composer to write the pattern. */
const SWITCH_TIMEOUT_MS = 5000
const SWITCH_LOOK_MS = 10

/** Why crashes have no bundle that had connected to a receiver. */
const LOST = 'RECEIVER_ENDED'

export interface ReceiverListeners {
  /** Each time it changes how crashes come. */
  readonly onEntry: (entry: Entry) => void
  readonly onLost: (reason: string, crashes: number) => void
}

/**
 * Keeps the receiver's pattern in force while the receiver listens, and the composer's at all other
 * times; nothing where RECEIVER_MODE is `off`. Until the attempt is aborted.
 */
export class ReceiverSupervisor {
  readonly #settings: AgentSettings
  readonly #log: Log
  readonly #attempt: Attempt
  readonly #listeners: ReceiverListeners
  readonly #pipePattern: string
  readonly #link: ReceiverLink
  readonly #socket: ListeningSocket
  #reported = ''
  #retryAtMs = 0
  /** Aborted when the receiver ends that is being tried. */
  #trial = new AbortController()

  constructor(settings: AgentSettings, log: Log, attempt: Attempt, listeners: ReceiverListeners) {
    this.#settings = settings
    this.#log = log
    this.#attempt = attempt
    this.#listeners = listeners
    this.#pipePattern = corePattern(settings.hostDir).pattern
    this.#socket = new ListeningSocket({
      hostDir: settings.hostDir,
      log,
      onLost: (pids) => {
        this.#reportLost(pids, 'no receiver took these crashes from its queue: they are lost')
      },
    })
    this.#link = new ReceiverLink({
      hostDir: settings.hostDir,
      // no pattern is set in place of that of the node's configuration, or of an init container
      pipePattern: settings.kernelManagedBy === 'agent' ? this.#pipePattern : undefined,
      signal: attempt.signal,
      onState: ({ stopping }) => {
        if (stopping) this.#fallBack('it is ending')
      },
      onUp: () => void this.#socket.open(),
      onDown: (why, waiting) => {
        this.#fallBack(why)
        this.#reportLost(
          waiting,
          'the receiver ended with crashes for which it had reported no bundle: they are lost, unless one is salvaged',
        )
        this.#socket.abandon()
        // a new one is to be used as soon as it is there
        this.#retryAtMs = 0
        this.#trial.abort()
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
    const end = (): void => {
      this.#fallBack('the agent is ending')
      this.#socket.close()
    }
    signal.addEventListener('abort', end, { once: true })
    void this.#link.run()
    while (!signal.aborted) {
      await this.#look().catch((err: unknown) => {
        this.#log.error({ err }, 'cannot look after the receiver')
      })
      await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  async #look(): Promise<void> {
    const { hostDir, kernelManagedBy } = this.#settings
    const { state } = this.#link
    const wanted = socketPattern(hostDir)
    const found = await readSysctl(CORE_PATTERN)
    if (kernelManagedBy !== 'agent') {
      return this.#report(entryWithoutFallback(found, state?.version, this.#settings))
    }
    if (state === undefined || state.stopping) {
      this.#fallBack('no receiver runs')
      const detail = `no receiver listens for \`${hostDir}\``
      return this.#report({ entry: 'pipe', detail })
    }
    if (found === wanted) {
      return this.#report(entryByComposer(state.version))
    }
    // another program's: the watch of the node restores ours first
    if (found !== this.#pipePattern || performance.now() < this.#retryAtMs) return
    if (await wasRemoved(hostDir)) return
    this.#retryAtMs = performance.now() + RETRY_MS
    this.#trial = new AbortController()
    const signal = AbortSignal.any([this.#attempt.signal, this.#trial.signal])
    try {
      await switchToSocket(this.#settings, { ...this.#attempt, signal })
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
    if (kernelManagedBy !== 'agent') return
    const path = sysctlPath(CORE_PATTERN, { root: sysctlRoot })
    try {
      if (readFileSync(path, 'utf8').trimEnd() !== socketPattern(hostDir)) return
      writeFileSync(path, `${this.#pipePattern}\n`)
      this.#log.warn({ why }, 'the kernel starts a composer for each crash again')
    } catch (err) {
      this.#log.error({ err }, 'cannot set the pattern of the composer')
    }
  }

  #reportLost(pids: readonly number[], message: string): void {
    if (pids.length === 0) return
    this.#log.error({ reason: LOST, crashes: pids.length, pids }, message)
    this.#listeners.onLost(LOST, pids.length)
  }

  #report(entry: Entry): void {
    const text = `${entry.entry}: ${entry.detail}`
    if (text === this.#reported) return
    this.#reported = text
    this.#log.info(entry, 'how crashes come')
    this.#listeners.onEntry(entry)
  }
}

/**
 * Has the kernel connect to the receiver. A process outside of the initial mount namespace, such as
 * this one in a pod, may not write such a pattern: the composer may that the kernel starts for a
 * process of ours that crashes. A second one, through the socket, shows that it works.
 * @throws AgentError `CANARY`; the pattern may be either then
 */
async function switchToSocket(
  settings: AgentSettings,
  { signal, isDelivered }: Attempt,
): Promise<void> {
  const { hostDir } = settings
  const { receiverRequest } = nodeFiles(hostDir)
  const wanted = socketPattern(hostDir)
  const canary = newCanary()
  await writeFileAtomic(receiverRequest, `${canary}\n${wanted}\n`, { mode: 0o600 })
  try {
    await tryCanary(settings, corePattern(hostDir).pattern, signal, isDelivered, canary)
    let found = ''
    for (let waited = 0; waited < SWITCH_TIMEOUT_MS && !signal.aborted; waited += SWITCH_LOOK_MS) {
      found = await readSysctl(CORE_PATTERN)
      if (found === wanted) break
      await sleep(SWITCH_LOOK_MS)
    }
    if (found !== wanted && !signal.aborted) {
      throw new AgentError(
        'CANARY',
        'the composer that the kernel started could not write the pattern of the receiver; its log has the reason',
      )
    }
  } finally {
    await rm(receiverRequest, { force: true })
  }
  if (!(await tryCanary(settings, wanted, signal, isDelivered)) && !signal.aborted) {
    throw new AgentError('CANARY', 'the pattern was changed while the receiver was tried')
  }
}
