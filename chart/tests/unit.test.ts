import { execa } from 'execa'
import { expect, test } from 'vitest'
import { findTool } from '@core-dump-handler/testing/tools/find-tool'
import { CHART } from '../scripts/presets.ts'

test('the suites of helm-unittest pass [attack-13]', async () => {
  const program = await findTool('helm-unittest')
  const { stdout } = await execa(program, ['--color=false', CHART], { reject: false })
  expect(stdout).not.toMatch(/failed|errored/)
  const [, passed, total] = /^Tests: +(\d+) passed, (\d+) total$/m.exec(stdout) ?? []
  expect(passed).toBe(total)
  expect(Number(total)).toBeGreaterThan(30)
})
