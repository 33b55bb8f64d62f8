import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import type { FoundBinary } from './binary-sources.ts'
import { layOut, requireDebugger } from './debugger.ts'

let directory: string
let layout: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cdh-layout-'))
  layout = join(directory, 'layout')
  mkdirSync(layout)
  return () => rmSync(directory, { recursive: true })
})

/** A module at `path` in the process, whose file is `file`; without one it is missing. */
function binary(path: string, file?: string): FoundBinary {
  const wanted = { path, firstPage: Buffer.alloc(0), isProgram: false }
  if (file === undefined) return { wanted }
  writeFileSync(join(directory, file), '')
  return { wanted, path: join(directory, file) }
}

function links(): Record<string, string> {
  const found = readdirSync(layout, { recursive: true, withFileTypes: true })
  const entries = found
    .filter((entry) => entry.isSymbolicLink())
    .map(({ parentPath, name }) => {
      const path = join(parentPath, name)
      return [path.slice(layout.length), readlinkSync(path).slice(directory.length + 1)]
    })
  return Object.fromEntries(entries)
}

describe('layOut', () => {
  it('gives a file at its path and by its name', async () => {
    await layOut(layout, [binary('/opt/lib/libshop.so.1', 'a')])
    expect(links()).toEqual({ '/opt/lib/libshop.so.1': 'a', '/libshop.so.1': 'a' })
  })

  it('gives no file by a name that two builds have, found or missing', async () => {
    await layOut(layout, [
      binary('/opt/a/libshop.so.1', 'a'),
      binary('/opt/b/libshop.so.1', 'b'),
      binary('/opt/c/libpay.so.1', 'c'),
      binary('/opt/d/libpay.so.1'),
    ])
    expect(links()).toEqual({
      '/opt/a/libshop.so.1': 'a',
      '/opt/b/libshop.so.1': 'b',
      '/opt/c/libpay.so.1': 'c',
    })
  })

  it('stays in its directory, whatever a core names', async () => {
    await layOut(layout, [
      binary('/../../../../etc/evil', 'a'),
      binary('/..', 'b'),
      binary(`/${'x'.repeat(300)}`, 'c'),
      binary('/file', 'd'),
      binary('/file/below', 'e'),
      binary('/line\n\u001b[2J', 'f'),
    ])
    expect(links()).toMatchObject({ '/etc/evil': 'a', '/evil': 'a', '/file': 'd', '/below': 'e' })
    expect(readdirSync(directory).toSorted()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'layout'])
  })
})

describe('requireDebugger', () => {
  it.for(['gdb', 'lldb'] as const)('says what to do without %s', async (kind) => {
    const path = process.env['PATH']
    process.env['PATH'] = directory
    try {
      await expect(requireDebugger(kind)).rejects.toMatchObject({
        code: 'MISSING_PROGRAM',
        message: expect.stringMatching(
          new RegExp(
            `^Cannot start \`${kind}\`: it is not installed; install it .*apt install ${kind}.*, or `,
          ),
        ),
      })
    } finally {
      process.env['PATH'] = path
    }
  })
})
