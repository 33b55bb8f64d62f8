import { readFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Log } from './log.ts'
import { test } from '@core-dump-handler/testing/composer/run-composer'

test('keeps two files at most, for the owner only', async ({ dir }) => {
  const path = join(dir, 'composer.log')
  for (let run = 0; run < 200; run++) {
    const log = new Log({ path, maxBytes: 2000 })
    log.write('info', `run ${run} ${'x'.repeat(50)}`)
    log.flush()
  }
  expect((await readdir(dir)).toSorted()).toEqual(['composer.log', 'composer.log.1'])
  for (const file of await readdir(dir)) {
    const { size, mode } = await stat(join(dir, file))
    expect(size).toBeLessThan(2200)
    expect((mode & 0o777).toString(8)).toBe('600')
  }
  expect(await readFile(path, 'utf8')).toContain('run 199 ')
})

test("writes in version 9's pattern, down to the level, nothing before the process is free", async ({
  dir,
}) => {
  const path = join(dir, 'composer.log')
  const log = new Log({ path })
  log.write('error', 'bad\nthing\u001b[0m')
  log.write('info', 'not wanted')
  // the settings are read after the first line is written
  log.setLevel('warn')
  expect(await readdir(dir)).toEqual([])
  log.flush()
  log.write('warn', 'later')
  expect(await readFile(path, 'utf8')).toMatch(
    /^ERROR - [\dT:.-]+Z - bad\\x0athing\\x1b\[0m\nWARN - [\dT:.-]+Z - later\n$/,
  )
})
