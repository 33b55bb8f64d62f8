import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { findTool } from './find-tool.ts'

let dir: string
let said: string[]
const say = (line: string): void => void said.push(line)

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'find-tool-'))
  said = []
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(dir, { recursive: true })
})

async function script(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `#!/bin/sh\n${text}\n`)
  await chmod(path, 0o755)
}

test('takes the first program on PATH of the right version', async () => {
  await script(join(dir, 'old/helm'), 'echo v3.9.0')
  await script(join(dir, 'mute/helm'), 'exit 1')
  await script(join(dir, 'new/helm'), 'echo v4.3.1+g1234567')
  const path = ['old', 'mute', 'new'].map((each) => join(dir, each)).join(':')
  vi.stubEnv('PATH', `${path}:${process.env['PATH']}`)

  expect(await findTool('helm', { cache: dir, say })).toBe(join(dir, 'new/helm'))
  expect(said).toEqual([])
})

test('takes a program of the cache by another of its names', async () => {
  await script(join(dir, 'tools/kubeone-1.37.2/kubeone'), 'true')
  await script(join(dir, 'tools/kubeone-1.37.2/kubectl'), 'true')

  expect(await findTool('kubectl', { cache: dir, say })).toBe(
    join(dir, 'tools/kubeone-1.37.2/kubectl'),
  )
})

test('rejects a ready-built file with another SHA-256, reports and removes it', async () => {
  const readyBuilt = join(dir, 'ready')
  await script(join(readyBuilt, 'kubeconform'), 'echo not the real one')
  await execa('xz', [join(readyBuilt, 'kubeconform')])
  // no Go and no Python to build it with
  vi.stubEnv('PATH', await pathWith('xz'))

  await expect(findTool('kubeconform', { cache: dir, readyBuilt, say })).rejects.toMatchObject({
    name: 'ToolError',
    tool: 'kubeconform',
    message: expect.stringMatching(
      /^Cannot make the test tool `kubeconform` 0\.8\.0: .*install Go/s,
    ),
  })
  expect(said[0]).toMatch(/^not using kubeconform\.xz: its SHA-256 is [0-9a-f]{64}, pinned is /)
  expect(await readdir(join(dir, 'tools'))).toEqual([])
})

test('unpacks a ready-built archive into the cache', async () => {
  const schemas = join(dir, 'schemas')
  await mkdir(schemas)
  await writeFile(join(schemas, 'pod-v1.json'), '{}')
  await execa('tar', ['-cJf', join(dir, 'schemas.tar.xz'), '-C', dir, 'schemas'])

  const found = await findTool('schemas', { cache: dir, readyBuilt: dir, say })
  expect(await readFile(join(found, 'pod-v1.json'), 'utf8')).toBe('{}')
})

async function pathWith(program: string): Promise<string> {
  const bin = join(dir, 'bin')
  const real = (await execa('which', [program])).stdout
  await script(join(bin, program), `exec ${real} "$@"`)
  return bin
}
