import { join } from 'node:path'
import { Readable } from 'node:stream'
import { ZipWriter, createPartFile, drain } from '@core-dump-handler/ingest'
import { makeDirectory } from '../make-directory.ts'
import { messageOf } from '../log/message-of.ts'
import { Problems } from '../log/problems.ts'
import { say } from './say.ts'
import { loadSettings } from '../settings/load.ts'
import { randomUuid } from '../uuid.ts'
import { composerVersion } from '../version.ts'

type Check = readonly [what: string, run: () => Promise<string> | string]

/** Whether a crash on this machine would end in a bundle: one line per check, 0 when all passed. */
export async function selfTest(home: string | undefined): Promise<number> {
  const problems = new Problems(() => {})
  const settings = loadSettings(home, process.env, problems)
  const directory = settings.coreDir === '' ? process.cwd() : settings.coreDir
  const checks: Check[] = [
    [
      'program',
      () => `composer ${composerVersion()}, Node ${process.versions.node}, ${process.arch}`,
    ],
    [
      'settings',
      () => noProblems(problems) ?? (home === undefined ? 'defaults' : join(home, '.env')),
    ],
    ['directory', () => directoryThere(directory)],
    ['bundle', () => packSomething(directory)],
    ['look-up', () => import('../look-up/look-up.ts').then(() => settings.criClient)],
  ]
  let failed = 0
  for (const [what, run] of checks) {
    try {
      say(1, `ok      ${what}: ${await run()}\n`)
    } catch (error) {
      failed++
      say(1, `not ok  ${what}: ${messageOf(error)}\n`)
    }
  }
  return failed === 0 ? 0 : 1
}

/** Bad settings stop no capture, so they fail no test; they are shown. */
function noProblems({ list }: Problems): string | undefined {
  return list.length === 0 ? undefined : list.map(({ message }) => message).join('; ')
}

function directoryThere(directory: string): string {
  makeDirectory(directory)
  return directory
}

/** All but the last step: it is never published, so that nobody takes it for a crash. */
async function packSomething(directory: string): Promise<string> {
  const part = createPartFile(join(directory, `self-test-${await randomUuid()}.zip`))
  try {
    const zip = new ZipWriter(part)
    const core = Readable.from([Buffer.alloc(1024 * 1024, 'core')])
    const { bytes } = await drain(core, zip, { entryName: 'self-test.core' })
    const { bytes: size } = await zip.finish()
    return `${bytes} bytes became a zip of ${size}`
  } finally {
    await part.discard()
  }
}
