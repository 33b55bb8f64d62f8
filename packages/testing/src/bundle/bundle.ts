import { readFileSync, rmSync } from 'node:fs'
import { execa } from 'execa'
import type { BundleManifest } from '@core-dump-handler/composer'

const READER = new URL('./zip.py', import.meta.url).pathname

export interface BundleEntry {
  readonly name: string
  readonly bytes: number
  readonly storedBytes: number
  readonly method: number
  readonly crc32: number
  readonly mode: number
}

/** A bundle as two readers that are not ours see it: Python, and for all its bytes Info-ZIP. */
export class Bundle {
  readonly path: string
  readonly entries: readonly BundleEntry[]
  readonly manifest: BundleManifest

  private constructor(path: string, entries: readonly BundleEntry[], manifest: BundleManifest) {
    this.path = path
    this.entries = entries
    this.manifest = manifest
  }

  static async open(path: string): Promise<Bundle> {
    const { stdout } = await execa('/usr/bin/python3', [READER, 'list', path])
    const entries = JSON.parse(stdout) as BundleEntry[]
    const last = entries.at(-1)?.name ?? ''
    if (!last.endsWith('-manifest.json')) throw new Error(`${path}: the last entry is ${last}`)
    const manifest = JSON.parse(await textOf(path, last)) as BundleManifest
    return new Bundle(path, entries, manifest)
  }

  /** Have Info-ZIP read all of it and compare every checksum. */
  async test(): Promise<void> {
    await execa('unzip', ['-tqq', this.path])
  }

  /** Names of the entries without the bundle's own name, in their order. */
  get shortNames(): string[] {
    const common = this.entries[0]?.name.slice(0, -'-dump-info.json'.length) ?? ''
    return this.entries.map(({ name }) => name.slice(common.length))
  }

  entry(suffix: string): BundleEntry {
    const found = this.entries.find(({ name }) => name.endsWith(suffix))
    if (!found)
      throw new Error(`${this.path} has no entry …${suffix}: ${this.shortNames.join(' ')}`)
    return found
  }

  text(suffix: string): Promise<string> {
    return textOf(this.path, this.entry(suffix).name)
  }

  async json<T>(suffix: string): Promise<T> {
    return JSON.parse(await this.text(suffix)) as T
  }

  /** Write the core to a file beside the bundle; returns its path. */
  async extractCore(): Promise<string> {
    const target = `${this.path}.core`
    await extract(this.path, this.entry('.core').name, target)
    return target
  }
}

async function textOf(path: string, name: string): Promise<string> {
  const target = `${path}.entry`
  try {
    await extract(path, name, target)
    return readFileSync(target, 'utf8')
  } finally {
    rmSync(target, { force: true })
  }
}

async function extract(path: string, name: string, target: string): Promise<void> {
  await execa('/usr/bin/python3', [READER, 'extract', path, JSON.stringify(name), target])
}
