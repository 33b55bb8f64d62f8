import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { deployExecutable, deployScript } from './deploy-composer.ts'

let scratch: string
let hostDir: string

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'deploy-'))
  hostDir = join(scratch, 'host')
  mkdirSync(hostDir)
})
afterEach(() => rmSync(scratch, { recursive: true }))

test('deployScript installs one executable script with an absolute Node in its first line', async () => {
  await deployScript(process.execPath, hostDir)
  await deployScript(process.execPath, hostDir)
  expect(await readdir(hostDir)).toEqual(['cdc', 'koffi.node'])
  expect((await stat(join(hostDir, 'cdc'))).mode & 0o777).toBe(0o700)
  const [first, second] = (await readFile(join(hostDir, 'cdc'), 'utf8')).split('\n', 2)
  expect(first).toBe(`#!${process.execPath}`)
  expect(second).not.toMatch(/^#!/)
})

test.for([
  ['a relative path', 'node', /absolute path/],
  ['blanks in the path', '/opt/my node', /without blanks/],
  ['254 bytes of path', `/${'n'.repeat(253)}`, /256 bytes and the kernel reads 255/],
] as const)('the kernel could not run %s: refused in words', async ([, node, message]) => {
  const attempt = deployScript(node, hostDir)
  await expect(attempt).rejects.toMatchObject({ name: 'AgentError', code: 'DEPLOY' })
  await expect(attempt).rejects.toThrow(message)
  expect(await readdir(hostDir)).toEqual([])
})

test('253 bytes of path still fit', async () => {
  await deployScript(`/${'n'.repeat(252)}`, hostDir)
  expect(await readdir(hostDir)).toContain('cdc')
})

/** A smallest program with an interpreter and a DT_RPATH of `room` bytes: enough to be relocated. */
function artefact(name: string, room = 200): string {
  const dir = join(scratch, name)
  mkdirSync(join(dir, 'lib'), { recursive: true })
  writeFileSync(join(dir, 'lib/ld.so'), `loader of ${name}`)
  const interpreter = Buffer.from(`/${'x'.repeat(room)}/ld.so\0`)
  const rpath = Buffer.from(`/${'y'.repeat(room - 1)}\0`)
  const [interpreterAt, rpathAt, dynamicAt] = [512, 1024, 2048]
  const file = Buffer.alloc(4096)
  file.write('\x7fELF\x02\x01\x01', 'latin1')
  file.writeBigUInt64LE(64n, 32)
  file.writeUInt16LE(56, 54)
  const headers: [type: number, offset: number, bytes: number][] = [
    [1, 0, 4096],
    [3, interpreterAt, interpreter.length],
    [2, dynamicAt, 64],
  ]
  file.writeUInt16LE(headers.length, 56)
  headers.forEach(([type, offset, bytes], index) => {
    const at = 64 + index * 56
    file.writeUInt32LE(type, at)
    file.writeBigUInt64LE(BigInt(offset), at + 8)
    file.writeBigUInt64LE(BigInt(offset), at + 16)
    file.writeBigUInt64LE(BigInt(bytes), at + 32)
  })
  interpreter.copy(file, interpreterAt)
  rpath.copy(file, rpathAt)
  file.writeBigUInt64LE(5n, dynamicAt)
  file.writeBigUInt64LE(BigInt(rpathAt - 8), dynamicAt + 8)
  file.writeBigUInt64LE(15n, dynamicAt + 16)
  file.writeBigUInt64LE(8n, dynamicAt + 24)
  // DT_STRSZ is for readelf alone
  file.writeBigUInt64LE(10n, dynamicAt + 32)
  file.writeBigUInt64LE(512n, dynamicAt + 40)
  // as the build adds it: the length of the option and the option
  file.write(`\t${'\0'.repeat(7)}--no-prof`, 3072, 'latin1')
  const path = join(dir, 'cdc')
  writeFileSync(path, file, { mode: 0o755 })
  return path
}

const countLibraries = (): number =>
  readdirSync(hostDir).filter((name) => name.startsWith('lib-')).length

const readelf = (...args: string[]): string =>
  execFileSync('readelf', [...args, join(hostDir, 'cdc')], { encoding: 'utf8', stdio: 'pipe' })

test('the executable finds loader and libraries in its directory', async () => {
  await deployExecutable(artefact('one'), hostDir)
  const [libraries = ''] = readdirSync(hostDir).filter((name) => name.startsWith('lib-'))
  expect(readelf('-lW')).toContain(
    `[Requesting program interpreter: ${hostDir}/${libraries}/ld.so]`,
  )
  expect(readelf('-dW')).toMatch(new RegExp(`RPATH.*\\[${hostDir}/${libraries}/*\\]`))
  expect(statSync(join(hostDir, 'cdc')).mode & 0o777).toBe(0o700)
})

test('a replaced executable keeps its libraries until the next installation', async () => {
  for (const [name, count] of [
    ['one', 1],
    ['two', 2],
    ['three', 2],
    ['three', 1],
  ] as const) {
    await deployExecutable(artefact(name), hostDir)
    expect(countLibraries(), name).toBe(count)
  }
})

test('G1: an executable stays without JIT when it is installed again, until it is removed', async () => {
  const installed = async (options?: { jit: boolean }): Promise<string> => {
    await deployExecutable(artefact('one'), hostDir, options)
    return readFileSync(join(hostDir, 'cdc'), 'latin1').includes('--jitless') ? 'no JIT' : 'JIT'
  }
  expect(await installed()).toBe('JIT')
  expect(await installed({ jit: false })).toBe('no JIT')
  expect(await installed()).toBe('no JIT')
  rmSync(join(hostDir, 'cdc'))
  expect(await installed()).toBe('JIT')
})

test('a running executable is replaced without being disturbed [B3]', async () => {
  const running = join(hostDir, 'cdc')
  copyFileSync('/bin/sleep', running)
  const child = spawn(running, ['30'])
  await once(child, 'spawn')
  await deployExecutable(artefact('one'), hostDir)
  expect(child.exitCode).toBeNull()
  child.kill()
})

test('a directory too long for the executable is refused with both lengths, and no file is left', async () => {
  await expect(deployExecutable(artefact('small', 20), hostDir)).rejects.toThrow(
    /has \d+ bytes, the executable has room for 21: use a shorter HOST_DIR/,
  )
  expect(readdirSync(hostDir).filter((name) => !name.startsWith('lib-'))).toEqual([])
})

test('a file that is no executable is refused', async () => {
  const source = artefact('script')
  writeFileSync(source, '#!/bin/sh\n'.repeat(20))
  await expect(deployExecutable(source, hostDir)).rejects.toThrow(/64-bit little-endian ELF/)
})
