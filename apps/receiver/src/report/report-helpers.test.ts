import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CrashReport, type KeptCore, StackCapture } from '@core-dump-handler/capture/report'
import { openCoreFile, WindowMemory } from '@core-dump-handler/report'
import { canMountSilentFiles, mountSilentFile } from '@core-dump-handler/testing/cri/silent-file'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import { compile, missingTools, programSource } from '@core-dump-handler/testing/report/programs'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ReportHelpers } from './report-helpers.ts'

const PROGRAM = [
  '--conditions=@core-dump-handler/source',
  new URL('../cli.ts', import.meta.url).pathname,
]
const FULL = { level: 'full', skipped: [], minicore: true } as const
const missing = missingTools('gcc')

describe.skipIf(missing)(`ReportHelpers${missing === undefined ? '' : `: ${missing}`}`, () => {
  let directory: string
  let core: string

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'report-helper-'))
    const source = programSource('crash.c')
    compile(directory, 'gcc', ['-O1', '-g', '-w', '-pthread', '-o', 'crash', source])
    core = await crashCore(directory, [join(directory, 'crash'), 'secrets', 'A'], {
      env: { SECRET: 'B' },
    })
  }, 240_000)

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  /** Of procfs: maps as the core has them, and a root with the same files but `hanging`. */
  function processDirectory(hanging?: { readonly path: string }): string {
    const process = mkdtempSync(join(directory, 'process-'))
    const fd = openSync(core, 'r')
    const facts = openCoreFile(fd)?.facts
    closeSync(fd)
    const mappings = facts?.mappings ?? []
    const lines = mappings.map(({ start, end, offset, path }) => {
      const permissions = facts?.segments.isExecutable(start) === true ? 'r-xp' : 'r--p'
      const range = `${start.toString(16)}-${end.toString(16)}`
      return `${range} ${permissions} ${offset.toString(16)} 08:01 77 ${path}\n`
    })
    // of an inode of its own: the first code that is mapped
    if (hanging) lines.unshift(`1000-2000 r-xp 0 08:01 78 ${hanging.path}\n`)
    writeFileSync(join(process, 'maps'), lines.join(''))
    mkdirSync(join(process, 'root'))
    for (const top of ['lib', 'lib64', 'usr', 'tmp']) {
      symlinkSync(`/${top}`, join(process, 'root', top))
    }
    if (hanging) writeFileSync(join(process, 'root', hanging.path), '')
    return process
  }

  function captured(): KeptCore {
    const capture = new StackCapture(undefined, () => false)
    void capture.push(readFileSync(core))
    return capture
  }

  it('reports a crash with the files that its process had mapped', async () => {
    const report = helpers().start(processDirectory(), false)
    await report.opened
    const made = await report.analyze(captured(), FULL)
    report.close()
    expect(made.entries.map(([suffix]) => suffix)).toEqual([
      '-report.json',
      '-report.txt',
      '-mini.core',
    ])
    expect(made.manifest.topFrame).toBe('crash_here (crash)')
    expect(made.manifest.fingerprint?.id).toMatch(/^[0-9a-f]{16,}$/)
    expect(framesOf(made)).toContain('crash_here')
  })

  it('makes the report without files in another helper, when its own has ended [receiver-9]', async () => {
    const all = helpers()
    const report = all.start(processDirectory(), false)
    await report.opened
    all.use().kill()
    const made = await report.analyze(captured(), FULL)
    expect(framesOf(made)).toMatch(/crash crashed: SIGSEGV/)
    expect(made.manifest.topFrame).not.toBe('crash_here (crash)')
  })

  it.skipIf(!canMountSilentFiles())(
    'goes on without a file that never answers, and opens those of the next crash [receiver-8]',
    async () => {
      const all = helpers()
      const hanging = { path: '/silent.so' }
      const process = processDirectory(hanging)
      const silent = await mountSilentFile(join(process, 'root', hanging.path))
      onTestFinished(() => silent.release())
      // one for each thread of its pool
      const reports = Array.from({ length: 4 }, () => all.start(process, false))
      const startedMs = performance.now()
      await Promise.all(reports.map(({ opened }) => opened))
      expect(performance.now() - startedMs).toBeLessThan(2000)
      const [first] = reports
      expect(
        framesOf((await first?.analyze(captured(), FULL)) ?? { entries: [], manifest: {} }),
      ).toMatch(/crash crashed: SIGSEGV/)
      for (const report of reports) report.close()
      await expect
        .poll(
          async () => {
            const next = all.start(processDirectory(), false)
            await next.opened
            const { manifest } = await next.analyze(captured(), FULL)
            next.close()
            return manifest.topFrame
          },
          { timeout: 20_000 },
        )
        .toBe('crash_here (crash)')
    },
  )

  it('reads no process while there are too many crashes', async () => {
    const report = helpers().start(processDirectory(), true)
    await report.opened
    const made = await report.analyze(captured(), { ...FULL, level: 'notes' })
    expect(report.isBusy).toBe(true)
    expect(made.manifest.fingerprint).toBeUndefined()
    expect(framesOf(made)).toMatch(/crash crashed: SIGSEGV/)
  })

  it('keeps 32 MiB for reports at most, and has the room again when one is closed', () => {
    const all = helpers()
    const memory = new WindowMemory()
    memory.add(0, Buffer.alloc(20 * 2 ** 20))
    const kept = { facts: undefined, ofCore: memory }
    const first = all.start(undefined, false)
    const second = all.start(undefined, false)
    expect(first.keep(kept)).toBe(true)
    expect(second.keep(kept)).toBe(false)
    expect(second.isBusy).toBe(true)
    first.close()
    expect(all.start(undefined, false).keep(kept)).toBe(true)
  })
})

function framesOf({ entries }: CrashReport): string {
  return String(entries.find(([suffix]) => suffix === '-report.txt')?.[1])
}

function helpers(): ReportHelpers {
  const started = new ReportHelpers(PROGRAM)
  onTestFinished(() => started.close())
  return started
}
