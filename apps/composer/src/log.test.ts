import { execFile } from 'node:child_process'
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { appendBounded } from '@core-dump-handler/capture'
import { test } from '@core-dump-handler/testing/composer/run-composer'
import { expect } from 'vitest'
import { Log } from './log.ts'

test('keeps two files at most, for the owner only [B29]', async ({ dir }) => {
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

test("writes in v9's pattern, down to the level, and nothing before the process is released", async ({
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

test('C12: loses no line when several composers rotate it at once', async ({ dir }) => {
  const [rounds, composers] = [3, 6]
  const module = new URL('./log.ts', import.meta.url).href
  for (let round = 0; round < rounds; round++) {
    const path = join(dir, `${round}.log`)
    await writeFile(path, `INFO - oldest\n${'x'.repeat(5000)}\n`)
    const at = Date.now() + 1000
    const write = (name: number): string => `
      const { Log } = await import(${JSON.stringify(module)})
      const log = new Log({ path: ${JSON.stringify(path)}, maxBytes: 4000 })
      log.write('error', 'line of ${name}')
      while (Date.now() < ${at});
      log.flush()`
    const flags = ['--conditions=@core-dump-handler/source', '--input-type=module', '-e']
    await Promise.all(
      Array.from({ length: composers }, (_, name) =>
        promisify(execFile)(process.execPath, [...flags, write(name)]),
      ),
    )
    const text = (await readFile(`${path}.1`, 'utf8')) + (await readFile(path, 'utf8'))
    expect(text.match(/ - line of \d$/gm)).toHaveLength(composers)
    expect(text).toContain('oldest')
  }
})

test('C12: rotates it again after a composer was killed while it did', async ({ dir }) => {
  const path = join(dir, 'composer.log')
  await writeFile(path, 'x'.repeat(5000))
  await writeFile(`${path}.lock`, '')
  const append = (line: string): void => appendBounded(path, line, 4000)

  append('while locked\n')
  expect((await readdir(dir)).toSorted()).toEqual(['composer.log', 'composer.log.lock'])
  await utimes(`${path}.lock`, 0, 0)
  append('removes the lock\n')
  append('rotates\n')

  expect((await readdir(dir)).toSorted()).toEqual(['composer.log', 'composer.log.1'])
  expect(await readFile(path, 'utf8')).toBe('rotates\n')
  expect(await readFile(`${path}.1`, 'utf8')).toContain('while locked\nremoves the lock\n')
})
