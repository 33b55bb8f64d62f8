import { execa } from 'execa'
import { expect, test } from 'vitest'
import { findTool } from '../../scripts/tools/index.ts'
import { CHART } from '../scripts/presets.ts'

test('the suites of helm-unittest pass', async () => {
  const program = await findTool('helm-unittest')
  const { stdout } = await execa(program, ['--color=false', CHART], { reject: false })
  expect(stdout).not.toMatch(/failed|errored/)
  const [, passed, total] = /^Tests: +(\d+) passed, (\d+) total$/m.exec(stdout) ?? []
  expect(passed).toBe(total)
  expect(Number(total)).toBeGreaterThan(30)
})
