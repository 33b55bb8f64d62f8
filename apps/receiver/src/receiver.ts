import { closeSync } from 'node:fs'
import type { Server, Socket } from 'node:net'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type BundleUpload,
  captureCrash,
  createLimiter,
  errorMessage,
  type Limiter,
  monotonicMs,
  type StopCause,
  type StopSignal,
  type UnfinishedBundle,
  Warnings,
  within,
} from '@core-dump-handler/capture'
import {
  accept,
  EXCHANGE_SOCKET_NAME,
  identifyPeer,
  listenAt,
  listenForExchange,
  type Peer,
  peerCredentials,
  readRequest,
  takeDescriptor,
} from '@core-dump-handler/coredump-socket'
import { crashOfPeer } from './crash/crash-of-peer.ts'
import { hostnameOf, isolatedSteps } from './crash/isolated-steps.ts'
import { Helpers } from './helper/helpers.ts'
import type { Log } from './log.ts'
import { ReportHelpers } from './report/report-helpers.ts'
import { SettingsFile } from './settings.ts'
import { CoreSocketSource } from './socket/core-socket-source.ts'
import { SOCKET_NAME } from './socket/receiver-pattern.ts'
import type { BundleUploads } from './store/bundle-uploads.ts'

/** The kernel sends its request at once; a peer that sends none is no crash. */
const REQUEST_TIMEOUT_MS = 5000
/** Beyond the time limit of a crash: then its process is released, whatever hangs. */
const RELEASE_MARGIN_MS = 5000
/** Fewer would wait for each other, not for a CPU; more take memory. */
const MIN_DRAINS = 3
/** A crash that has drained is no process here: it takes 150 KiB. */
const BACKLOG = 280
const LOOK_MS = 20
/** The helpers need some 300 ms for their start. */
const WARM_UP_MS = 3000
/** Times the limit of drains: with more crashes there is a storm, as the scheduler has it. */
const STORM = 4

export interface ReceiverOptions {
  readonly hostDir: string
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly nodeHostname: string
  readonly version: string
  readonly log: Log
  /** A crash was accepted of which nothing is on the disk yet. */
  readonly onWaits: (pid: number) => void
  /** It has an unfinished bundle, or needs none; may be called again. */
  readonly onWaitsNoLonger: (pid: number) => void
}

interface ActiveCrash {
  readonly source: CoreSocketSource
  readonly stop: CrashStop
}

/** Takes all crashes of a node on one socket; each becomes a bundle, and none waits for another for long. */
export class Receiver {
  readonly path: string
  readonly #options: ReceiverOptions
  readonly #settings: SettingsFile
  readonly #limiter: Limiter
  readonly #helpers = new Helpers()
  readonly #reports = new ReportHelpers()
  #uploads: Promise<BundleUploads> | undefined
  readonly #active = new Set<ActiveCrash>()
  /** Crashes at once for which stacks are read. */
  readonly #busyAbove: number
  #handling = 0
  #captured = 0
  #server: Server | undefined
  #exchange: Server | undefined

  constructor(options: ReceiverOptions) {
    this.#options = options
    this.path = join(options.hostDir, SOCKET_NAME)
    this.#settings = new SettingsFile(options.hostDir, options.env)
    const { settings } = this.#settings.current()
    options.log.level = settings.logLevel
    const limit = settings.concurrentDrains || Math.max(MIN_DRAINS, availableParallelism())
    this.#busyAbove = limit * STORM
    this.#limiter = createLimiter({
      limit,
      backlog: BACKLOG,
      // all share one thread: what holds a process comes before what only takes memory
      writersWhileQueued: 2,
      maxWaitMs: settings.timeoutMs,
    })
  }

  /** Crashes that were accepted and are not bundles yet. */
  get active(): number {
    return this.#handling
  }

  /** Bundles and records that were written. */
  get captured(): number {
    return this.#captured
  }

  async listen(): Promise<void> {
    this.#helpers.warmUp()
    await within(this.#reports.warmUp(), WARM_UP_MS)
    this.#server = await listenAt(this.path, (socket) => this.#accept(socket), {
      allowHalfOpen: true,
      pauseOnConnect: true,
    })
    this.#server.on('error', (error) => {
      this.#options.log.write('error', `The socket failed: ${error.message}`)
    })
    this.#exchange = await listenForExchange(this.#options.hostDir, {
      server: this.#server,
      onQueue: (listening) => this.#acceptQueue(listening),
      onRefused: (reason) => {
        const closed = `Closed a connection to ${EXCHANGE_SOCKET_NAME}`
        this.#options.log.write('warn', `${closed}: ${reason}`)
      },
    })
  }

  /**
   * Takes what is in the queue of the socket, ends it, and waits for the crashes that were accepted;
   * after `graceMs` they are completed with what there is. Set another pattern before.
   */
  async close(graceMs: number): Promise<void> {
    const deadlineMs = monotonicMs() + graceMs
    while (this.#handling > 0 && monotonicMs() < deadlineMs) await sleep(LOOK_MS)
    this.#server?.close()
    this.#exchange?.close()
    const cause: StopCause = { code: 'INTERRUPTED', message: 'The receiver was ended' }
    for (const { stop } of this.#active) stop.stop(cause)
    for (let waited = 0; this.#handling > 0 && waited < graceMs; waited += LOOK_MS) {
      await sleep(LOOK_MS)
    }
    this.#helpers.close()
    this.#reports.close()
  }

  #accept(socket: Socket): void {
    let fd: number
    try {
      fd = takeDescriptor(socket)
    } catch (error) {
      socket.destroy()
      return this.#options.log.write('error', `Lost a crash: ${errorMessage(error)}`)
    }
    this.#take(fd)
  }

  /** Takes the crashes that wait in the queue of a receiver that was killed. */
  async #acceptQueue(listening: number): Promise<void> {
    let crashes = 0
    for (let fd = accept(listening); fd >= 0; fd = accept(listening)) {
      this.#take(fd)
      crashes++
      // a full queue takes seconds
      await new Promise(setImmediate)
    }
    if (crashes === 0) return
    this.#options.log.write('info', `Took ${crashes} crashes from the queue of the receiver before`)
  }

  #take(fd: number): void {
    const arrivedMs = monotonicMs()
    this.#handling++
    void this.#handle(fd, arrivedMs)
      .catch((error: unknown) => {
        this.#options.log.write('error', `Lost a crash: ${errorMessage(error)}`)
      })
      .finally(() => this.#handling--)
  }

  /** Closes `fd`, or leaves it to the source of the core. */
  async #handle(fd: number, arrivedMs: number): Promise<void> {
    const { log, onWaits, onWaitsNoLonger } = this.#options
    const pid = peerCredentials(fd)?.pid ?? 0
    // before anything else: from here on a crash is recorded when this process is killed
    onWaits(pid)
    let peer: Peer | string | undefined
    try {
      const { settings } = this.#settings.current()
      log.level = settings.logLevel
      peer = identifyPeer(fd, settings.procRoot)
      if (typeof peer === 'string') {
        closeSync(fd)
        return log.write('warn', `Closed a connection that is no crash: ${peer}`)
      }
      if ((await readRequest(fd, REQUEST_TIMEOUT_MS)) === undefined) {
        closeSync(fd)
        return log.write('warn', `Process ${pid} sent no request for a core dump`)
      }
      await this.#capture(fd, peer, arrivedMs)
    } finally {
      onWaitsNoLonger(pid)
      if (typeof peer === 'object' && peer.pidfd !== undefined) closeSync(peer.pidfd)
    }
  }

  /** Loads what uploads when the first bundle needs it: most receivers do without that memory. */
  async #uploadBundle(bundle: UnfinishedBundle): Promise<BundleUpload> {
    const { env, log } = this.#options
    this.#uploads ??= import('./store/bundle-uploads.ts').then(
      (module) => new module.BundleUploads(env, log),
    )
    return (await this.#uploads).begin(bundle)
  }

  async #capture(fd: number, peer: Peer, arrivedMs: number): Promise<void> {
    const { log, hostDir: home, nodeHostname, version } = this.#options
    const { settings, warnings: known } = this.#settings.current()
    const warnings = new Warnings(({ code, message }) => log.write('warn', `${code}: ${message}`))
    for (const { code, message } of known) warnings.add(code, message)
    const stop = new CrashStop(settings.timeoutMs)
    const source = new CoreSocketSource(fd, { arrivedMs, warnings })
    const release = setTimeout(() => {
      log.write('error', `Released process ${peer.pid} at its time limit: its capture hangs`)
      source.release()
    }, settings.timeoutMs + RELEASE_MARGIN_MS)
    const active = { source, stop }
    this.#active.add(active)
    try {
      const hostname = await hostnameOf(peer, this.#helpers, settings, nodeHostname)
      await captureCrash(crashOfPeer(peer, settings.procRoot, hostname), source, {
        settings,
        home,
        directory: settings.coreDir === '' ? join(home, 'cores') : resolve(settings.coreDir),
        nodeHostname,
        version,
        warnings,
        log,
        stop,
        limiter: this.#limiter,
        uploadBundle: (bundle) => this.#uploadBundle(bundle),
        isolated: isolatedSteps({
          helpers: this.#helpers,
          reports: this.#reports,
          settings,
          home,
          isBusy: () => this.#handling > this.#busyAbove,
        }),
        onOpened: () => this.#options.onWaitsNoLonger(peer.pid),
        onPublished: () => {
          stop.disarm()
          this.#captured++
        },
      })
    } catch {
      // the reason is in the log, and the process released
      source.release()
    } finally {
      clearTimeout(release)
      stop.disarm()
      this.#active.delete(active)
    }
  }
}

/** Ends one capture: at its time limit, or when the receiver ends. */
class CrashStop implements StopSignal {
  cause: StopCause | undefined
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout

  constructor(timeoutMs: number) {
    this.#timer = setTimeout(() => {
      const message = `Timeout error during coredump processing: not done after ${timeoutMs / 1000} s`
      this.stop({ code: 'TIMEOUT', message })
    }, timeoutMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  stop(cause: StopCause): void {
    clearTimeout(this.#timer)
    this.cause ??= cause
    this.#controller.abort(new Error(this.cause.message))
  }

  /** The capture is over. */
  disarm(): void {
    clearTimeout(this.#timer)
  }
}
