import { readFileSync, rmSync } from 'node:fs'
import { execa } from 'execa'
import * as v from 'valibot'
import { type BundleManifest, parseManifest } from '@core-dump-handler/bundle'

const READER = new URL('./zip.py', import.meta.url).pathname

const ENTRY = v.object({
  name: v.string(),
  bytes: v.number(),
  storedBytes: v.number(),
  method: v.number(),
  crc32: v.number(),
  mode: v.number(),
})
export type BundleEntry = Readonly<v.InferOutput<typeof ENTRY>>

/** A bundle as two independent readers see it: Python, and for all its bytes Info-ZIP. */
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
    const entries = v.parse(v.array(ENTRY), JSON.parse(stdout))
    const last = entries.at(-1)?.name ?? ''
    if (!last.endsWith('-manifest.json')) throw new Error(`${path}: the last entry is ${last}`)
    const manifest = manifestOf(await textOf(path, last))
    return new Bundle(path, entries, manifest)
  }

  /** Read it with Info-ZIP, which compares every CRC. */
  async test(): Promise<void> {
    await execa('unzip', ['-tqq', this.path])
  }

  /** Names of the entries without the common file name, in their order. */
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

  async json(suffix: string): Promise<unknown> {
    return JSON.parse(await this.text(suffix))
  }

  /** Write the core to a file beside the bundle; returns its path. */
  async extractCore(): Promise<string> {
    return this.extract('.core')
  }

  /** Write an entry to a file beside the bundle; returns its path. */
  async extract(suffix: string): Promise<string> {
    const target = `${this.path}${suffix}`
    await extract(this.path, this.entry(suffix).name, target)
    return target
  }
}

/** A manifest from its JSON; throws where it has another shape. */
export function manifestOf(text: string): BundleManifest {
  const manifest = parseManifest(JSON.parse(text))
  if (manifest === undefined) throw new Error(`This is not a manifest: ${text.slice(0, 200)}`)
  return manifest
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
