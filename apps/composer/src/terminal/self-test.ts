import { join } from 'node:path'
import { Readable } from 'node:stream'
import { ZipWriter, createPartFile, drain } from '@core-dump-handler/ingest'
import {
  errorMessage,
  loadLookup,
  makeDirectory,
  randomUuid,
  Warnings,
} from '@core-dump-handler/capture'
import { type ComposerSettings, loadSettings } from '@core-dump-handler/capture/settings'
import { composerVersion, koffiPath } from '../installation.ts'
import { print } from './print.ts'

type Check = readonly [what: string, run: () => Promise<string> | string]

/** Whether a crash on this machine would end in a bundle: one line per check, 0 when all passed. */
export async function selfTest(home: string | undefined): Promise<number> {
  const warnings = new Warnings()
  const settings = loadSettings(home, process.env, warnings)
  const directory = settings.coreDir === '' ? process.cwd() : settings.coreDir
  const checks: Check[] = [
    [
      'program',
      () => `composer ${composerVersion()}, Node ${process.versions.node}, ${process.arch}`,
    ],
    [
      'settings',
      () => warningText(warnings) ?? (home === undefined ? 'defaults' : join(home, '.env')),
    ],
    ['directory', () => makeOutputDirectory(directory)],
    ['bundle', () => packTestCore(directory, settings)],
    ['look-up', () => loadLookup().then(() => settings.criClient)],
  ]
  let failed = 0
  for (const [what, run] of checks) {
    try {
      print(1, `ok      ${what}: ${await run()}\n`)
    } catch (error) {
      failed++
      print(1, `not ok  ${what}: ${errorMessage(error)}\n`)
    }
  }
  return failed === 0 ? 0 : 1
}

/** Bad settings stop no capture, so they fail no check; they are shown. */
function warningText({ list }: Warnings): string | undefined {
  return list.length === 0 ? undefined : list.map(({ message }) => message).join('; ')
}

async function makeOutputDirectory(directory: string): Promise<string> {
  await makeDirectory(directory)
  return directory
}

/** All but the last step: it is never published, so that it cannot be taken for a crash. */
async function packTestCore(
  directory: string,
  { compressionEngine: engine }: ComposerSettings,
): Promise<string> {
  const part = await createPartFile(join(directory, `self-test-${await randomUuid()}.zip`))
  try {
    const zip = new ZipWriter(part)
    const core = Readable.from([Buffer.alloc(1024 * 1024, 'core')])
    const koffi = koffiPath(process.argv[1])
    const result = await drain(core, zip, {
      entryName: 'self-test.core',
      engine,
      ...(koffi !== undefined && { koffiPath: koffi }),
    })
    const { bytes: size } = await zip.finish()
    const { bytes, engine: used, engineFailure } = result
    const why = engineFailure === undefined ? '' : `, because ${engineFailure}`
    return `${bytes} bytes became a zip of ${size}, by ${used}${why}`
  } finally {
    await part.discard()
  }
}
