import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { WantedModule } from './core-modules.ts'
import { isSameBuild } from './elf-identity.ts'

/** Binaries on this machine by their build-ids; each was checked before it came in. */
export class BinaryCache {
  readonly #directory: string

  constructor(directory: string) {
    this.#directory = join(directory, 'binaries')
  }

  /** Its path, when it is there and still the right one. */
  find(wanted: WantedModule): string | undefined {
    const path = join(this.#directory, nameOf(wanted))
    return existsSync(path) && isSameBuild(path, wanted) ? path : undefined
  }

  /**
   * Takes what `write` puts into a file, if it is the build that is wanted; resolves with its path, or with
   * undefined when it is another build.
   */
  async add(
    wanted: WantedModule,
    write: (path: string) => Promise<void>,
  ): Promise<string | undefined> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 })
    const part = join(this.#directory, `.${randomUUID()}.part`)
    try {
      await write(part)
      if (!isSameBuild(part, wanted)) return undefined
      const path = join(this.#directory, nameOf(wanted))
      await rename(part, path)
      return path
    } finally {
      await rm(part, { force: true })
    }
  }
}

/** The build-id; of a file without one what it is recognized by. */
function nameOf({ buildId, firstPage }: WantedModule): string {
  return buildId ?? `page-${createHash('sha256').update(firstPage).digest('hex')}`
}
