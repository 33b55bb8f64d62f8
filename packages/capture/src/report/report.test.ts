import { createHash } from 'node:crypto'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openCoreFile, type Report } from '@core-dump-handler/report'
import { onlyBundle, type ReadBundle } from '@core-dump-handler/testing/composer/read-bundle'
import { dumpingProcess } from '@core-dump-handler/testing/composer/scratch-proc'
import { pipeFrom } from '@core-dump-handler/testing/pipe'
import { Random } from '@core-dump-handler/testing/random'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import { compile, missingTools, programSource } from '@core-dump-handler/testing/report/programs'
import { until } from '@core-dump-handler/testing/until'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { captureCrash } from '../capture-crash.ts'
import { createLimiter } from '../concurrency/limiter.ts'
import type { Load } from '../concurrency/scheduler.ts'
import { DescriptorSource } from '../core-source.ts'
import { createCrash } from '../crash.ts'
import { parseComposerSettings } from '../settings/index.ts'
import { Warnings } from '../warnings.ts'

const missing = missingTools('gcc')
const PID = 4711
const CORE_ENTRIES = ['-dump-info.json', '.core']
const REPORT_ENTRIES = ['-report.json', '-report.txt', '-mini.core']
const MANIFEST = '-manifest.json'

/** Without the memory of its process a core has no stacks before it has been read, however slow that is. */
class WholeSource extends DescriptorSource {
  override async open(): Promise<void> {
    await super.open()
    await until('the core has been read', () => !this.isHeld)
  }
}

interface Options {
  readonly variables?: Record<string, string>
  readonly home?: string
  readonly load?: Load
  readonly dumpMode?: number
}

describe.skipIf(missing)(`a report${missing === undefined ? '' : `: ${missing}`}`, () => {
  let directory: string
  let core: string

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'capture-report-'))
    compile(directory, 'gcc', [
      '-O1',
      '-g',
      '-w',
      '-pthread',
      '-o',
      'crash',
      programSource('crash.c'),
    ])
    const command = [join(directory, 'crash'), 'secrets', 'ARGUMENT_CANARY_77']
    core = await crashCore(directory, command, { env: { SECRET: 'ENVIRONMENT_CANARY_77' } })
    await dumpingProcess(join(directory, 'proc'), PID, '/', [PID])
    // the files of the process as `map_files` would have them, by their paths
    symlinkSync('/', join(directory, 'proc', String(PID), 'root'))
    writeFileSync(join(directory, 'proc', String(PID), 'maps'), mapsOf(core))
  }, 240_000)

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  /** Captures the core at `path` as of the scratch process. */
  async function capture(path: string, options: Options = {}): Promise<ReadBundle> {
    const { variables = {}, home, load, dumpMode } = options
    const out = mkdtempSync(join(directory, 'out-'))
    const { fd } = pipeFrom(out, `cat ${path}`)
    const { settings } = parseComposerSettings({
      IGNORE_CRIO: 'true',
      OVERRIDE_PROC_FOLDER_PATH: join(directory, 'proc'),
      ...variables,
    })
    const crash = createCrash({ exeName: 'crash', signal: '11', hostPid: PID, dumpMode })
    await captureCrash(crash, new WholeSource(fd), {
      settings,
      home,
      directory: out,
      version: '0.0.0',
      warnings: new Warnings(),
      log: { write: () => {} },
      stop: { signal: new AbortController().signal, cause: undefined },
      limiter:
        load === undefined
          ? createLimiter()
          : { acquire: async () => ({ load, drained: async () => load, release: () => {} }) },
    })
    return onlyBundle(out)
  }

  it('is in the bundle before the manifest, with names and build-ids', async () => {
    const bundle = await capture(core)
    expect(bundle.entries).toEqual([...CORE_ENTRIES, ...REPORT_ENTRIES, MANIFEST])
    expect(bundle.manifest.problems).toEqual([])
    expect((await bundle.bytes('.core')).equals(readFileSync(core))).toBe(true)
    const { crash, crashingThread, fingerprint, modules } = await reportOf(bundle)
    expect(crash).toMatchObject({ signalName: 'SIGSEGV', exe: join(directory, 'crash') })
    expect(crashingThread?.frames[0]).toMatchObject({ symbol: 'crash_here', trust: 'context' })
    expect(crashingThread?.frames.at(-1)).toMatchObject({ symbol: '_start', trust: 'cfi' })
    expect(modules.filter(({ problem }) => problem !== undefined)).toEqual([])
    expect(modules.map(({ buildId }) => buildId ?? '')).toEqual(
      modules.map(() => expect.stringMatching(/^[0-9a-f]{40}$/)),
    )
    const { id, family } = fingerprint
    expect(bundle.manifest).toMatchObject({
      fingerprint: { id, family },
      topFrame: 'crash_here (crash)',
    })
    expect(bundle.manifest.reportSkipped).toBeUndefined()
    expect(await bundle.text('-report.txt')).toMatch(/^crash crashed: SIGSEGV/)
  })

  it('has no heap, environment or arguments', async () => {
    const bundle = await capture(core)
    const texts = await Promise.all(REPORT_ENTRIES.map((entry) => bundle.text(entry)))
    expect(texts.join('')).not.toMatch(/(HEAP|ENVIRONMENT|ARGUMENT)_CANARY/)
    expect(await bundle.text('-mini.core')).toContain('STACK_CANARY_77')
  })

  it.for([
    [{ REPORT: 'off' }, []],
    [{ MINICORE: 'false' }, ['-report.json', '-report.txt']],
    [{ REPORT: 'crash' }, REPORT_ENTRIES],
  ] as const)('is what the settings ask for: %j', async ([variables, entries]) => {
    const bundle = await capture(core, { variables })
    expect(bundle.entries).toEqual([...CORE_ENTRIES, ...entries, MANIFEST])
    expect(bundle.manifest.fingerprint === undefined).toBe(entries.length === 0)
  })

  it.for([
    ['high', REPORT_ENTRIES, 'crash_here (crash)'],
    ['storm', ['-report.json', '-report.txt'], undefined],
  ] as const)('says what was left out under load: %s', async ([load, entries, top]) => {
    const bundle = await capture(core, { load })
    expect(bundle.entries).toEqual([...CORE_ENTRIES, ...entries, MANIFEST])
    expect(bundle.manifest.topFrame).toBe(top)
    expect(bundle.manifest.reportSkipped?.join()).toContain('storm')
    expect((await reportOf(bundle)).crashingThread?.registers['rip']).toMatch(/^0x/)
  })

  it('is of a core that is too large, too', async () => {
    const variables = { MAX_CORE_BYTES: '1000', OVERSIZED_CORE: 'refuse' }
    const bundle = await capture(core, { variables })
    expect(bundle.manifest.core).toMatchObject({ bytes: 0, reasonCode: 'CORE_OVERSIZED' })
    expect(bundle.entries).toEqual(['-dump-info.json', ...REPORT_ENTRIES, MANIFEST])
    expect(bundle.manifest.topFrame).toBe('crash_here (crash)')
  })

  it('is of a crash above the rate, too', async () => {
    const home = mkdtempSync(join(directory, 'home-'))
    const variables = { RATE_CRASHES: '1', RATE_WINDOW_SECONDS: '86400' }
    const first = await capture(core, { variables, home })
    const second = await capture(core, { variables, home })
    expect(second.manifest.core.reasonCode).toBe('CORE_SUPPRESSED')
    expect(second.entries).toEqual(['-dump-info.json', ...REPORT_ENTRIES, MANIFEST])
    expect(second.manifest.fingerprint).toEqual(first.manifest.fingerprint)
  })

  it.for([
    [{ SUID_CORES: 'refuse' }, 'CORE_REFUSED'],
    [{ MIN_FREE_BYTES: String(Number.MAX_SAFE_INTEGER) }, 'CORE_NO_SPACE'],
  ] as const)('is of a crash that is rejected, also in a storm: %j', async ([variables, code]) => {
    for (const load of ['low', 'storm'] as const) {
      const bundle = await capture(core, { variables, dumpMode: 2, load })
      expect(bundle.manifest.core).toMatchObject({ bytes: 0, reasonCode: code })
      expect(bundle.entries).toEqual(['-dump-info.json', ...REPORT_ENTRIES, MANIFEST])
      expect(bundle.manifest.topFrame).toBe('crash_here (crash)')
    }
  })

  describe('with CORES_PER_FINGERPRINT', () => {
    it('takes so many cores, and of further crashes report and minicore only', async () => {
      const home = mkdtempSync(join(directory, 'home-'))
      const variables = { CORES_PER_FINGERPRINT: '2' }
      const bundles: ReadBundle[] = []
      for (let n = 0; n < 4; n++) bundles.push(await capture(core, { variables, home }))
      const ids = new Set(bundles.map(({ manifest }) => manifest.fingerprint?.id))
      expect(ids.size).toBe(1)
      for (const bundle of bundles.slice(0, 2)) {
        expect(bundle.manifest.problems).toEqual([])
        expect((await bundle.bytes('.core')).equals(readFileSync(core))).toBe(true)
        expect(bundle.entries).toEqual([...CORE_ENTRIES, ...REPORT_ENTRIES, MANIFEST])
      }
      for (const bundle of bundles.slice(2)) {
        const { core: record } = bundle.manifest
        expect(record).toMatchObject({ bytes: 0, complete: false, reasonCode: 'CORE_REPEATED' })
        expect(record.reason).toContain([...ids][0])
        expect(bundle.entries).toEqual(['-dump-info.json', ...REPORT_ENTRIES, MANIFEST])
        expect(bundle.manifest.topFrame).toBe('crash_here (crash)')
      }
    })

    it('does not count a core that ended early', async () => {
      const home = mkdtempSync(join(directory, 'home-'))
      const variables = { CORES_PER_FINGERPRINT: '1' }
      const cut = join(directory, 'cut')
      // its last byte is missing: the stacks are there
      writeFileSync(cut, readFileSync(core).subarray(0, -1))
      const codes: unknown[] = []
      for (const path of [cut, core, core]) {
        const { manifest } = await capture(path, { variables, home })
        codes.push(manifest.core.reasonCode)
      }
      expect(codes).toEqual(['TRUNCATED', undefined, 'CORE_REPEATED'])
    })

    it('reads nothing more without the setting, and takes every core without a report', async () => {
      const home = mkdtempSync(join(directory, 'home-'))
      const off = { CORES_PER_FINGERPRINT: '1', REPORT: 'off' }
      for (const variables of [{}, off, off]) {
        const { manifest } = await capture(core, { variables, home })
        expect(manifest.core.complete).toBe(true)
      }
      expect(readdirSync(home)).toEqual(['rate'])
    })
  })

  it('never costs the core, whatever its headers and notes are', async () => {
    const bytes = readFileSync(core)
    for (let seed = 1; seed <= 20; seed++) {
      const random = new Random(seed)
      const broken = Buffer.from(bytes)
      const end = seed % 2 === 0 ? 4096 : 40_000
      for (let n = 0; n < 200; n++) broken[5 + random.below(end)] = random.below(256)
      const path = join(directory, 'broken')
      writeFileSync(path, broken)
      const started = performance.now()
      const bundle = await capture(path)
      expect(performance.now() - started).toBeLessThan(10_000)
      const kept = await bundle.bytes('.core')
      expect(digest(kept), `seed ${seed}`).toBe(digest(broken))
      expect(bundle.entries.at(-1)).toBe(MANIFEST)
    }
  }, 120_000)
})

async function reportOf(bundle: ReadBundle): Promise<Report> {
  return JSON.parse(await bundle.text('-report.json'))
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The maps of the process that left this core. */
function mapsOf(path: string): string {
  const fd = openSync(path, 'r')
  const facts = openCoreFile(fd)?.facts
  const lines = (facts?.mappings ?? []).map(({ start, end, offset, path: file }) => {
    const permissions = facts?.segments.isExecutable(start) === true ? 'r-xp' : 'r--p'
    const range = `${start.toString(16)}-${end.toString(16)}`
    return `${range} ${permissions} ${offset.toString(16)} 08:01 77 ${file}\n`
  })
  closeSync(fd)
  return lines.join('')
}
