import { join } from 'node:path'
import { BINARIES } from '@core-dump-handler/bundle'
import type { QueueEvent } from '@core-dump-handler/upload'
import type { CommandContext } from '../context.ts'
import type { Uploader } from '../upload/open-uploader.ts'
import { startTrigger } from '../upload/upload-bundles.ts'
import { removeBinaries } from './binary-spool.ts'
import { type BinaryEvent, BinaryUploader } from './binary-uploader.ts'

/** Between two looks where bundles are uploaded as they come. */
const WATCH_MS = 5000

/** Uploads of binaries beside those of bundles, when these are uploaded; with BINARIES=false none. */
export class BinaryUploads {
  readonly #context: Pick<CommandContext, 'settings' | 'log' | 'signal'>
  readonly #directory: string
  readonly #onEvent: ((event: BinaryEvent) => void) | undefined
  #uploader: BinaryUploader | undefined

  constructor(
    context: Pick<CommandContext, 'settings' | 'log' | 'signal'>,
    onEvent?: (event: BinaryEvent) => void,
  ) {
    this.#context = context
    this.#onEvent = onEvent
    this.#directory = join(context.settings.coreDir, BINARIES)
  }

  /** Call it with each event of the queue of bundles. */
  onQueueEvent(event: QueueEvent): void {
    if (event.type === 'started') this.#uploader?.interrupt()
  }

  /** Until the signal is aborted. Never rejects. */
  async run(bundles: Uploader | undefined): Promise<void> {
    const { settings, log, signal } = this.#context
    if (!settings.binaries) {
      await removeBinaries(this.#directory).catch((err: unknown) => {
        log.warn(
          { err },
          'cannot delete the binaries that were left when BINARIES was switched off',
        )
      })
      return
    }
    const { trigger } = settings
    if (bundles === undefined || trigger.kind === 'none') return
    const uploader = this.#open(bundles)
    const ticks =
      trigger.kind === 'watch' ? ({ kind: 'interval', intervalMs: WATCH_MS } as const) : trigger
    let round: Promise<unknown> | undefined
    const stop = startTrigger(ticks, () => {
      round ??= this.#round(uploader).finally(() => (round = undefined))
    })
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    stop()
    await round
  }

  /** Tries each binary once. Never rejects. */
  async sweep(bundles: Uploader): Promise<void> {
    if (this.#context.settings.binaries) await this.#round(this.#open(bundles))
  }

  #open({ destination, queue }: Uploader): BinaryUploader {
    const { settings, log } = this.#context
    const uploader = new BinaryUploader({
      directory: this.#directory,
      destination,
      limits: settings.spool,
      log,
      ...(this.#onEvent && { onEvent: this.#onEvent }),
      bundles: () => {
        const { active, files, failing, paused, bytes } = queue.stats()
        return { areDue: active > 0 || paused || files > failing, bytes }
      },
    })
    this.#uploader = uploader
    return uploader
  }

  async #round(uploader: BinaryUploader): Promise<void> {
    const { log, signal } = this.#context
    try {
      const { done, failed } = await uploader.round(signal)
      if (failed > 0) log.debug({ done, failed }, 'not all binaries could be uploaded')
    } catch (err) {
      log.warn({ err }, 'cannot upload binaries; it is tried again')
    }
  }
}
