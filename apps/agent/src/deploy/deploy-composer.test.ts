import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { deployScript } from './deploy-composer.ts'

async function scratch(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'deploy-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  return dir
}

test('deployScript installs one executable script with an absolute Node in its first line', async () => {
  const dir = await scratch()
  await deployScript(process.execPath, dir)
  await deployScript(process.execPath, dir)
  expect(await readdir(dir)).toEqual(['cdc', 'koffi.node'])
  expect((await stat(join(dir, 'cdc'))).mode & 0o777).toBe(0o700)
  const [first, second] = (await readFile(join(dir, 'cdc'), 'utf8')).split('\n', 2)
  expect(first).toBe(`#!${process.execPath}`)
  expect(second).not.toMatch(/^#!/)
})

test.for([
  ['a relative path', 'node', /absolute path/],
  ['blanks in the path', '/opt/my node', /without blanks/],
  ['254 bytes of path', `/${'n'.repeat(253)}`, /256 bytes and the kernel reads 255/],
] as const)('the kernel could not run %s: refused in words', async ([, node, message]) => {
  const dir = await scratch()
  const attempt = deployScript(node, dir)
  await expect(attempt).rejects.toMatchObject({ name: 'AgentError', code: 'DEPLOY' })
  await expect(attempt).rejects.toThrow(message)
  expect(await readdir(dir)).toEqual([])
})

test('253 bytes of path still fit', async () => {
  const dir = await scratch()
  await deployScript(`/${'n'.repeat(252)}`, dir)
  expect(await readdir(dir)).toContain('cdc')
})
