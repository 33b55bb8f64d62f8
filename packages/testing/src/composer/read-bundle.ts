import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import JSZip from 'jszip'
import type { BundleManifest } from '@core-dump-handler/bundle'
import { manifestOf } from '../bundle/bundle.ts'

export interface ReadBundle {
  /** File name without `.zip`. */
  readonly name: string
  readonly path: string
  /** Entry names without the bundle's name, in the order of the central directory. */
  readonly entries: readonly string[]
  readonly manifest: BundleManifest
  readonly dumpInfo: Record<string, string>
  bytes(entry: string): Promise<Buffer>
  text(entry: string): Promise<string>
}

/** Opens a bundle with a reader that is not ours. */
export async function readBundle(path: string): Promise<ReadBundle> {
  const name = (path.split('/').at(-1) ?? '').replace(/\.zip$/, '')
  const zip = await JSZip.loadAsync(await readFile(path), { checkCRC32: true })
  const files = Object.keys(zip.files).filter((file) => !file.endsWith('/'))
  const bytes = async (entry: string): Promise<Buffer> => {
    const file = zip.file(`${name}${entry}`)
    if (file === null) throw new Error(`no entry ${name}${entry} among ${files.join(' ')}`)
    return file.async('nodebuffer')
  }
  const text = async (entry: string): Promise<string> => (await bytes(entry)).toString()
  return {
    name,
    path,
    entries: files.map((file) => (file.startsWith(name) ? file.slice(name.length) : `! ${file}`)),
    manifest: manifestOf(await text('-manifest.json')),
    dumpInfo: stringsOf(JSON.parse(await text('-dump-info.json'))),
    bytes,
    text,
  }
}

function stringsOf(value: unknown): Record<string, string> {
  const fields = Object.entries(typeof value === 'object' && value !== null ? value : {})
  return Object.fromEntries(
    fields.map(([key, field]: [string, unknown]) => {
      if (typeof field !== 'string') throw new Error(`\`${key}\` is not a string`)
      return [key, field]
    }),
  )
}

/** The only bundle in `dir`, and that nothing unfinished lies beside it. */
export async function onlyBundle(dir: string): Promise<ReadBundle> {
  const files = (await readdir(dir)).filter((file) => /\.(zip|part)$/.test(file))
  if (files.length !== 1) throw new Error(`expected one bundle in ${dir}, got: ${files.join(' ')}`)
  return readBundle(join(dir, files[0] ?? ''))
}
