import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Warnings } from '@core-dump-handler/capture'
import { type ComposerSettings, loadSettings } from '@core-dump-handler/capture/settings'

/** Of one crash: the settings, and what is wrong with them. */
export interface CrashSettings {
  readonly settings: ComposerSettings
  readonly warnings: Warnings['list']
}

/** The environment, else `<hostDir>/.env`, read again when that has changed: an update of the agent. */
export class SettingsFile {
  readonly #hostDir: string
  readonly #env: Readonly<NodeJS.ProcessEnv>
  #state: string | undefined
  #known: CrashSettings | undefined

  constructor(hostDir: string, env: Readonly<NodeJS.ProcessEnv>) {
    this.#hostDir = hostDir
    this.#env = env
  }

  current(): CrashSettings {
    const file = statSync(join(this.#hostDir, '.env'), { bigint: true, throwIfNoEntry: false })
    const state = file === undefined ? 'none' : `${file.ino} ${file.size} ${file.mtimeNs}`
    if (this.#known === undefined || state !== this.#state) {
      const warnings = new Warnings()
      const settings = loadSettings(this.#hostDir, this.#env, warnings)
      this.#known = { settings, warnings: warnings.list }
      this.#state = state
    }
    return this.#known
  }
}
