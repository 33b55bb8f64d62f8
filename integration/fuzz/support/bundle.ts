import { lstatSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { crc32 } from 'node:zlib'
import { manifestOf } from '@core-dump-handler/testing/bundle/bundle'
import type { BundleManifest } from '@core-dump-handler/bundle'
import schema from '@core-dump-handler/bundle/bundle-manifest.schema.json' with { type: 'json' }
import JSZip from 'jszip'
import { violations } from '@core-dump-handler/testing/composer/validate'
import { assertJson, assertOneLine, promised } from './promises.ts'

const ENTRY =
  /^-(dump-info\.json|pod-info\.json|runtime-info\.json|ps-info\.json|manifest\.json|\d+\.log|\d+-image-info\.json|(\d+-proc|process)\/(auxv|cmdline|environ|maps|status))$|^\.core$/
const NAME = /^(?![.-])[^\p{C}\p{Zl}\p{Zp}/\\:*?"<>|`$]{1,200}$/u

export interface Checked {
  readonly manifest: BundleManifest
  readonly texts: ReadonlyMap<string, string>
}

/**
 * Opens a bundle with a reader that is not ours, and holds it to what every bundle promises. Its
 * entries begin with `prefix`, its own name unless that was taken when it was salvaged.
 */
export async function checkBundle(
  path: string,
  core?: Buffer,
  prefix: string = basename(path, '.zip'),
): Promise<Checked> {
  const bytes = readFileSync(path)
  const name = basename(path, '.zip')
  promised(NAME.test(name), () => `a bundle has the name ${JSON.stringify(name)}`)
  promised((lstatSync(path).mode & 0o777) === 0o600, () => `${name} is not for its owner alone`)
  const zip = await JSZip.loadAsync(bytes, { checkCRC32: false })
  const files = Object.values(zip.files).filter(({ dir }) => !dir)
  const counted = bytes.readUInt16LE(bytes.length - 12)
  promised(files.length === counted, () => `${counted} entries, ${files.length} names`)
  const texts = new Map<string, string>()
  for (const file of files) {
    const entry = file.unsafeOriginalName ?? file.name
    const suffix = entry.startsWith(prefix) ? entry.slice(prefix.length) : entry
    promised(ENTRY.test(suffix), () => `an entry has the name ${JSON.stringify(entry)}`)
    if (suffix.endsWith('.json')) texts.set(suffix, await file.async('string'))
  }
  for (const [entry, text] of texts) assertJson(text, entry)
  const manifest = manifestOf(texts.get('-manifest.json') ?? '')
  const wrong = violations(schema, manifest)
  promised(wrong.length === 0, () => `the manifest breaks its schema: ${wrong.join('; ')}`)
  for (const { code, message } of manifest.problems) {
    assertOneLine(code, 'a code')
    promised(message.length <= 4000, () => `${code} says ${message.length} characters`)
  }
  if (core !== undefined && manifest.core.complete) {
    const sum = crc32(core).toString(16).padStart(8, '0')
    promised(manifest.core.crc32 === sum, () => 'the core is not what was fed')
  }
  return { manifest, texts }
}
