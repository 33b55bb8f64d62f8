import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeCrashBundle } from '@core-dump-handler/testing/bundle/crash-bundle'
import { type CdhRun, runCdh } from '@core-dump-handler/testing/cli/run-cdh'
import { crashCore } from '@core-dump-handler/testing/report/crash-core'
import { compile, missingTools, programSource } from '@core-dump-handler/testing/report/programs'
import { describe, expect, it } from 'vitest'

const START_MS = 600_000

const missing = missingTools('g++')

describe.skipIf(missing)(`cdh report${missing ? `: ${missing}` : ''}`, () => {
  it(
    'makes the report of a core file, also of a minicore',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'cdh-report-test-'))
      try {
        const program = join(directory, 'crash')
        compile(directory, 'g++', ['-O1', '-pthread', '-o', program, programSource('crash.cpp')])
        const core = await crashCore(directory, [program, 'virtual'])
        const { file } = await writeCrashBundle(directory, { core, exe: program })
        const { code, stdout } = await runCdh(['report', core])
        expect(code).toBe(0)
        expect(stdout).toMatch(/^crash crashed: SIGSEGV \(SEGV_MAPERR\) at address 0x0/)
        expect(stdout).toMatch(/#0 +shop::priceOf\(shop::Order\*\)\+0x/)

        const store = { CDH_STORE: `file:${directory}` }
        const mini = await runCdh(['fetch', file.slice(0, 8), '--mini', '-o', directory], store)
        const ofCore = await runCdh(['report', core, '--json'])
        const ofMinicore = await runCdh(['report', mini.stdout, '--json'])
        expect(framesOf(ofMinicore)).toEqual(framesOf(ofCore))

        expect(await runCdh(['report', program])).toMatchObject({
          code: 1,
          stderr: expect.stringContaining('is no ELF core'),
        })
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    },
    START_MS,
  )
})

function framesOf({ stdout }: CdhRun): unknown {
  return JSON.parse(stdout).crashingThread.frames
}
