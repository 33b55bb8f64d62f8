import { unlink } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { ENTRY, readBundle, readReportText, writeRecord } from '@core-dump-handler/bundle'
import type { QueueEvent } from '@core-dump-handler/upload'
import type { Log } from '../log/open-log.ts'
import { agentVersion } from '../version.ts'

const REASON = 'UPLOAD_LOST'

/**
 * Makes records of bundles whose core went to the store while it was read, and whose upload is gone: aborted by
 * another program, or of a destination that is not ours any more. `onLost` is called for each.
 */
export class LostBundles {
  readonly #log: Log
  readonly #onLost: (reason: string) => void
  readonly #abandon: (file: string) => Promise<void> | undefined
  readonly #busy = new Set<string>()

  /** `abandon`: of the destination, which frees what the store still has. */
  constructor(
    log: Log,
    onLost: (reason: string) => void,
    abandon: (file: string) => Promise<void> | undefined,
  ) {
    this.#log = log
    this.#onLost = onLost
    this.#abandon = abandon
  }

  /** Call it with each event of the queue. */
  readonly onQueueEvent = (event: QueueEvent): void => {
    if (event.type !== 'failed' || event.error.code !== 'LOST' || this.#busy.has(event.file)) return
    const { file, error } = event
    this.#busy.add(file)
    this.#record(file, error.message)
      .catch((err: unknown) =>
        this.#log.error({ file, err }, 'cannot record a core that is lost, or free its upload'),
      )
      .finally(() => this.#busy.delete(file))
  }

  async #record(file: string, why: string): Promise<void> {
    const { manifest, dumpInfo } = await readBundle(file)
    const report = await readReportText(file)
    const bytes = manifest?.core.bytes ?? 0
    const reason = `The core of ${bytes} bytes was sent to the store while it was read. ${why}`
    const record = await writeRecord(dirname(file), {
      name: `${basename(file, '.zip')}-lost`,
      manifest: {
        ...(manifest ?? {
          composer: agentVersion(),
          crash: { time: new Date().toISOString() },
          identity: { status: 'unverified', reason: 'the bundle could not be read' },
          timings: { heldMs: 0, lookupMs: 0, totalMs: 0 },
        }),
        problems: [...(manifest?.problems ?? []), { code: REASON, message: reason }],
      },
      dumpInfo: dumpInfo ?? '{}',
      reason,
      reasonCode: REASON,
      ...(report !== undefined && { entries: { [ENTRY.reportText]: report } }),
    })
    await unlink(file)
    this.#log.error(
      { file: basename(file), record, reason: why },
      'a core is lost; a record says so',
    )
    this.#onLost(REASON)
    await this.#abandon(file)
  }
}
