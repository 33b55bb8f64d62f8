import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { ORIGINAL, test } from '@core-dump-handler/testing/agent/scratch-node'

test('sweep uploads only bundles, logs how many, and does not change the node [B34]', async ({
  node,
}) => {
  for (const name of ['a.zip', 'b.zip', 'README', '.c.zip.part']) {
    await writeFile(join(node.coreDir, name), name)
  }
  await mkdir(join(node.coreDir, 'lost+found'))
  const agent = node.agent(['sweep'])
  expect(await agent.ended).toBe(0)
  expect(JSON.parse(await agent.line(/sweep done/))).toMatchObject({ stored: 2, failed: 0 })
  expect(await node.list(node.destination)).toEqual(['a.zip', 'b.zip'])
  expect(await readFile(join(node.destination, 'b.zip'), 'utf8')).toBe('b.zip')
  expect(await node.list(node.coreDir)).toEqual(['.c.zip.part', 'README', 'lost+found'])
  expect(await node.sysctls()).toEqual(ORIGINAL)
})

test('a sweep of an empty CORE_DIR ends at once', async ({ node }) => {
  expect(await node.agent(['sweep']).ended).toBe(0)
})

test('bundles that could not be uploaded stay, and the exit code is 1 [B34]', async ({ node }) => {
  await writeFile(join(node.coreDir, 'a.zip'), 'a')
  await rm(node.destination, { recursive: true })
  await writeFile(node.destination, '')
  for (const env of [{}, { DESTINATION: '', S3_BUCKET_NAME: '' }, { CORE_DIR: '/nowhere' }]) {
    expect(await node.agent(['sweep'], env).ended).toBe(1)
  }
  expect(await node.list(node.coreDir)).toEqual(['a.zip'])
})

test('sweep FILE takes files and globs, from anywhere and of any name', async ({ node }) => {
  const dir = join(node.dir, 'elsewhere')
  await mkdir(dir)
  for (const name of ['one.zip', 'two.zip', 'a[1].zip', 'plain', '.two.zip.part']) {
    await writeFile(join(dir, name), name)
  }
  expect(await node.agent(['sweep', join(dir, 'a[1].zip'), join(dir, 'plain')]).ended).toBe(0)
  expect(await node.agent(['sweep', join(dir, '*.zip')]).ended).toBe(0)
  expect(await node.list(node.destination)).toEqual(['a[1].zip', 'one.zip', 'plain', 'two.zip'])
  expect(await node.list(dir)).toEqual(['.two.zip.part'])
})

test('a missing file is an error in words; the others are uploaded', async ({ node }) => {
  await writeFile(join(node.dir, 'x.zip'), 'x')
  const absent = join(node.dir, 'absent.zip')
  const agent = node.agent(['sweep', absent, join(node.dir, 'no-*.zip'), join(node.dir, 'x.zip')])
  expect(await agent.ended).toBe(1)
  expect(agent.output()).toContain(absent)
  expect(JSON.parse(await agent.line(/sweep incomplete/))).toMatchObject({ stored: 1, failed: 2 })
})
