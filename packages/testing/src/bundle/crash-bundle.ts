import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import {
  bundleFileName,
  containerEntry,
  createManifest,
  ENTRY,
  formatManifest,
  type BundleManifest,
} from '@core-dump-handler/bundle'
import { createPartFile, ZipWriter } from '@core-dump-handler/ingest'
import { analyzeCore } from '../report/analyze-core.ts'

export interface CrashBundleOptions {
  readonly core: string
  readonly exe: string
  readonly log?: string
  readonly identity?: BundleManifest['identity']
  readonly problems?: BundleManifest['problems']
  /** @default true */
  readonly complete?: boolean
}

/** Writes a bundle with core, report and minicore to `directory`; resolves with its uuid and file name. */
export async function writeCrashBundle(
  directory: string,
  { core, exe, log, identity, problems = [], complete = true }: CrashBundleOptions,
): Promise<{ readonly uuid: string; readonly file: string }> {
  const uuid = randomUUID()
  const name = `${uuid}-dump-1796042306-web-1-crash-7-11`
  const content = readFileSync(core)
  const { report, text, minicore } = analyzeCore(core)
  const { id, family } = report.fingerprint
  const topFrame = report.crashingThread?.frames[0]?.symbol ?? undefined
  const manifest = createManifest({
    uuid,
    composer: '0.1.0',
    node: { hostname: 'node-1', kernel: '6.1.0' },
    crash: {
      time: '2026-11-30T12:38:26.000Z',
      signal: report.crash.signal ?? 0,
      signalName: report.crash.signalName ?? '',
      comm: report.crash.comm ?? '',
      exe,
    },
    identity: identity ?? {
      status: 'verified',
      namespace: 'shop',
      pod: 'web-7d9f8b6c5d-x2k4p',
      container: 'web',
      image: 'registry.example/web:1',
    },
    core: {
      entry: `${name}${ENTRY.core}`,
      bytes: content.length,
      expectedBytes: content.length,
      crc32: crc32(content).toString(16).padStart(8, '0'),
      complete,
      ...(!complete && { reason: 'cut', reasonCode: 'CORE_CUT' }),
    },
    timings: { heldMs: 20, lookupMs: 3, totalMs: 40 },
    problems,
    fingerprint: { id, family },
    ...(topFrame !== undefined && { topFrame }),
  })
  await using part = await createPartFile(join(directory, bundleFileName(name)))
  const zip = new ZipWriter(part)
  await zip.add(`${name}${ENTRY.dumpInfo}`, '{}')
  await zip.add(`${name}${ENTRY.core}`, content)
  await zip.add(`${name}${containerEntry(0).log}`, log ?? 'started\n')
  await zip.add(`${name}${ENTRY.report}`, JSON.stringify(report))
  await zip.add(`${name}${ENTRY.reportText}`, text)
  await zip.add(`${name}${ENTRY.minicore}`, minicore)
  await zip.add(`${name}${ENTRY.manifest}`, formatManifest(manifest))
  await zip.finish()
  await part.publish()
  return { uuid, file: bundleFileName(name) }
}
