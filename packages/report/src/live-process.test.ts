import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModuleFiles, processMemory, type FileMapping } from './index.ts'

/** A mapping of this process that has its program's first page. */
function ownMapping(): FileMapping {
  const maps = readFileSync('/proc/self/maps', 'latin1').split('\n')
  const line = maps.find((each) => each.endsWith(process.execPath)) ?? ''
  const [start, end] = /^([0-9a-f]+)-([0-9a-f]+)/.exec(line)?.slice(1) ?? []
  return {
    start: Number.parseInt(start ?? '', 16),
    end: Number.parseInt(end ?? '', 16),
    offset: 0,
    path: process.execPath,
  }
}

function mapping(path: string): FileMapping {
  return { start: 4096, end: 8192, offset: 0, path }
}

describe('processMemory', () => {
  it('reads what a process has mapped, and nothing where it has nothing', () => {
    const fd = openSync('/proc/self/mem', 'r')
    const memory = processMemory(fd)
    const { start } = ownMapping()
    expect(memory.read(start, 4).toString('latin1')).toBe('\x7fELF')
    expect(memory.read(0, 100).length).toBe(0)
    closeSync(fd)
  })
})

describe('openModuleFiles', () => {
  let root: string
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'report-files-'))
    mkdirSync(join(root, 'lib'))
    writeFileSync(join(root, 'lib/real.so'), 'file')
    symlinkSync('real.so', join(root, 'lib/link.so'))
    execFileSync('mkfifo', [join(root, 'lib/fifo.so')])
  })

  afterAll(() => rmSync(root, { recursive: true, force: true }))

  it('opens regular files only, and does not wait for others', () => {
    const files = openModuleFiles({ root })
    const paths = ['/lib/real.so', '/lib/link.so', '/lib/fifo.so', '/lib', '/lib/none.so']
    const opened = paths.map((path) => files.open(path, mapping(path)) !== undefined)
    expect(opened).toEqual([true, false, false, false, false])
    files.close()
    expect(files.open('/lib/link.so', mapping('/lib/link.so'))).toBeUndefined()
  })

  it('follows links where it is told to', () => {
    const files = openModuleFiles({ root, followLinks: true })
    expect(files.open('/lib/link.so', mapping('/lib/link.so'))).toBeDefined()
    files.close()
  })

  it('opens each file once, and no more than its limit', () => {
    const files = openModuleFiles({ root, maxFiles: 1 })
    const first = files.open('/lib/real.so', mapping('/lib/real.so'))
    expect(files.open('/lib/real.so', mapping('/lib/real.so'))).toBe(first)
    const full = openModuleFiles({ root, maxFiles: 0 })
    full.openAll([mapping('/lib/real.so')])
    expect(full.open('/lib/real.so', mapping('/lib/real.so'))).toBeUndefined()
    files.close()
  })

  it('prefers the file that is mapped to the one that has its path now', () => {
    const files = openModuleFiles({ root, mapFiles: '/proc/self/map_files' })
    const fd = files.open('/gone', ownMapping())
    // the kernel gives them to those with CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE
    if (process.getuid?.() === 0) expect(fd).toBeDefined()
    files.close()
  })
})
