import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseComposerSettings } from '@core-dump-handler/capture/settings'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Helpers } from './helpers.ts'

const PROGRAM = [
  '--conditions=@core-dump-handler/source',
  new URL('../cli.ts', import.meta.url).pathname,
]
const TIMEOUT_MS = 10_000

function helpers(): Helpers {
  const started = new Helpers(PROGRAM)
  onTestFinished(() => started.close())
  return started
}

/** A process directory in which `hanging` never answers, as memory on a dead FUSE mount. */
function processDirectory(hanging?: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'helper-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'environ'), 'A=1\0HOSTNAME=web-0\0B=2\0')
  writeFileSync(join(directory, 'cmdline'), 'web\0--serve\0')
  if (hanging !== undefined) {
    rmSync(join(directory, hanging))
    execFileSync('mkfifo', [join(directory, hanging)])
  }
  return directory
}

const request = (directory: string) => ({
  directory,
  files: ['cmdline', 'environ'],
  maxFileBytes: 8,
  wantsHostname: true,
})

describe('Helpers', () => {
  it('reads files of a process, cut at the limit, and its host name', async () => {
    const read = await helpers().readProcess(request(processDirectory()), TIMEOUT_MS)
    expect(read?.hostname).toBe('web-0')
    expect(read?.files.get('cmdline')).toEqual({ bytes: Buffer.from('web\0--se'), truncated: true })
    expect(read?.errors).toEqual([])
  })

  it('gives up a read that never returns, and replaces the helper that hangs [receiver-8]', async () => {
    const all = helpers()
    const good = request(processDirectory())
    await all.readProcess(good, TIMEOUT_MS)
    const hanging = request(processDirectory('cmdline'))
    // one for each thread of its pool
    const reads = Array.from({ length: 4 }, () => all.readProcess(hanging, 300))
    expect(await Promise.all(reads)).toEqual([undefined, undefined, undefined, undefined])
    const answered = async (): Promise<string | undefined> =>
      (await all.readProcess(good, 500))?.hostname
    await expect.poll(answered, { timeout: TIMEOUT_MS }).toBe('web-0')
  })

  it('answers a look-up whose helper ends, as not verified', async () => {
    const all = helpers()
    const { settings } = parseComposerSettings({ IGNORE_CRIO: 'true' })
    const { signal } = new AbortController()
    const lookup = all.lookup({ hostname: 'web-0' }, { settings, home: '/', signal })
    all.close()
    expect((await lookup.result).identity).toEqual({
      status: 'unverified',
      reason: 'the helper ended',
    })
    await lookup.close()
  })
})
