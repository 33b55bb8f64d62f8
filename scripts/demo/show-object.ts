import { readFile } from 'node:fs/promises'
import { manifestOf } from '@core-dump-handler/testing/bundle/bundle'
import type { BundleManifest } from '@core-dump-handler/bundle'
import JSZip from 'jszip'
import { DemoError } from './say.ts'

/** Open the object as its owner does, and print what it contains. */
export async function showObject(path: string, keep: boolean): Promise<void> {
  const bytes = await readFile(path)
  // an independent reader, which checks every CRC
  const zip = await JSZip.loadAsync(bytes, { checkCRC32: true })
  const entries = await Promise.all(
    Object.values(zip.files).map(async (file) => ({
      name: file.name,
      bytes: (await file.async('uint8array')).length,
    })),
  )
  const last = entries.at(-1)?.name ?? ''
  if (!last.endsWith('-manifest.json')) throw new DemoError(`${path} does not end with a manifest`)
  const manifest = manifestOf((await zip.file(last)?.async('string')) ?? '')

  const prefix = last.slice(0, -'-manifest.json'.length)
  const short = (name: string): string => name.replace(prefix, '…')
  const rows = [
    ['object', `${path} (${size(bytes.length)})`],
    ...describe(manifest),
    [
      'entries',
      ...entries.map(({ name, bytes: length }) => `${size(length).padStart(8)}  ${short(name)}`),
    ],
  ]
  process.stdout.write('\n')
  for (const [title = '', ...lines] of rows) {
    const indented = lines.join(`\n${' '.repeat(12)}`)
    process.stdout.write(`  ${title.padEnd(10)}${indented}\n`)
  }
  const note = keep
    ? 'The object was kept.'
    : 'The object is gone with the scratch folder; `npm run demo -- --keep` leaves it.'
  process.stdout.write(`\n${note}\n`)
  const report = await zip.file(`${prefix}-report.txt`)?.async('string')
  if (report !== undefined) {
    process.stdout.write(`\n…-report.txt, as \`cdh show\` prints it:\n\n${report.trimEnd()}\n`)
  }
}

function describe({ crash, core, identity, timings, problems }: BundleManifest): string[][] {
  const reason = identity.reason ? ` (${identity.reason})` : ''
  return [
    ['program', crash.exe ?? crash.comm ?? 'not known'],
    ['signal', crash.signalName ?? (crash.signal === undefined ? 'not known' : `${crash.signal}`)],
    ['core', `${size(core.bytes)}, ${core.complete ? 'complete' : `not complete: ${core.reason}`}`],
    ['identity', `${identity.status}${reason}`],
    [
      'held',
      `${Math.round(timings.heldMs)} ms, from the start of the composer until the whole core was read`,
    ],
    ...problems.map(({ code, message }) => ['problem', `${code}: ${message}`]),
  ]
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`
  return `${(bytes / 1e6).toFixed(1)} MB`
}
