import { appendFile, mkdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { test } from '@core-dump-handler/testing/agent/scratch-node'

const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, index) => `INFO - line ${from + index}\n`).join('')

test('logs prints the last lines of the composer’s log, across its two files', async ({ node }) => {
  await mkdir(node.hostDir)
  await writeFile(join(node.hostDir, 'composer.log.1'), numbered(1, 150))
  await writeFile(join(node.hostDir, 'composer.log'), `${numbered(151, 160)}not yet whole`)
  const [all, few] = [node.agent(['logs']), node.agent(['logs', '-n', '3'])]
  expect(await all.ended).toBe(0)
  expect(all.output()).toBe(numbered(61, 160))
  expect(await few.ended).toBe(0)
  expect(few.output()).toBe(numbered(158, 160))
})

test('logs --follow prints added lines, also of a new file', async ({ node }) => {
  await mkdir(node.hostDir)
  const path = join(node.hostDir, 'composer.log')
  const agent = node.agent(['logs', '-f', '--lines=1'])
  await agent.line(/no composer.log yet/)
  await writeFile(path, 'first\n')
  await agent.line(/^first$/)
  await appendFile(path, 'sec')
  await appendFile(path, 'ond\n')
  await agent.line(/^second$/)
  await rename(path, `${path}.1`)
  await writeFile(path, 'third\n')
  await agent.line(/^third$/)
  await writeFile(path, '4\n')
  await agent.line(/^4$/)
  await agent.kill('SIGTERM')
})

test('an unreadable log is reported, and control characters are escaped', async ({ node }) => {
  await mkdir(node.hostDir)
  const path = join(node.hostDir, 'composer.log')
  await writeFile(path, 'a\u001b[2Jb\n')
  const shown = node.agent(['logs'])
  expect(await shown.ended).toBe(0)
  expect(shown.output()).toBe('a\\u001b[2Jb\n')

  await rename(path, `${path}.txt`)
  await symlink(`${path}.txt`, path)
  const linked = node.agent(['logs'])
  expect(await linked.ended).toBe(1)
  expect(linked.output()).toMatch(/cannot read the log.*|ELOOP/)
  for (const args of [
    ['logs', '-n', 'x'],
    ['status', '-f'],
    ['logs', 'x'],
  ]) {
    expect(await node.agent(args).ended).toBe(2)
  }
})
