import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CoreReasonCode } from '@core-dump-handler/bundle'
import { elfBinary } from '@core-dump-handler/testing/elf-binary'
import { smallDisk } from '@core-dump-handler/testing/small-disk'
import { until } from '@core-dump-handler/testing/until'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Load } from '../concurrency/scheduler.ts'
import { HeldProcess } from '../report/held-process.ts'
import { parseComposerSettings } from '../settings/index.ts'
import { type BinaryLimits, copyBinaries, copyBinary, lockCopying } from './copy-binaries.ts'

const A = 'aa'.repeat(20)
const B = 'bb'.repeat(8)
const MIB = 1024 * 1024

interface Options {
  readonly variables?: Record<string, string>
  readonly load?: Load
  readonly reasonCode?: CoreReasonCode
  readonly limits?: BinaryLimits
  readonly stopped?: boolean
}

/** A process that has these files mapped, and CORE_DIR of its composer. */
class Scratch {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'binaries-'))
  readonly coreDir: string
  readonly lines: string[] = []

  constructor(files: Readonly<Record<string, Buffer>>, coreDir?: string) {
    onTestFinished(() => rmSync(this.directory, { recursive: true, force: true }))
    this.coreDir = coreDir ?? join(this.directory, 'cores')
    mkdirSync(this.coreDir, { recursive: true })
    mkdirSync(join(this.directory, 'root'))
    const maps = Object.entries(files).map(([name, content], index) => {
      writeFileSync(join(this.directory, 'root', name), content)
      const start = (0x10000 * (index + 1)).toString(16)
      return `${start}-${start}1000 r-xp 00000000 08:01 ${index + 1} /${name}\n`
    })
    writeFileSync(join(this.directory, 'maps'), maps.join(''))
  }

  async copy(options: Options = {}): Promise<void> {
    const { variables = {}, load = 'low', reasonCode, limits } = options
    const held = new HeldProcess(this.directory)
    await held.opened
    const stop = new AbortController()
    if (options.stopped === true) stop.abort()
    const context = {
      settings: parseComposerSettings(variables).settings,
      directory: this.coreDir,
      stop: { signal: stop.signal, cause: undefined },
      log: { write: (_: string, message: string) => void this.lines.push(message) },
    }
    await copyBinaries(held, { load, reasonCode }, context, limits)
    held.close()
  }

  file(name: string): string {
    return join(this.directory, 'root', name)
  }

  get binaries(): string {
    return join(this.coreDir, 'binaries')
  }

  get copied(): string[] {
    return existsSync(this.binaries) ? readdirSync(this.binaries).toSorted() : []
  }
}

/** Copies the program as if it had been found with this build-id. */
async function copyAs(node: Scratch, buildId: string): Promise<number> {
  const { binaries: directory } = node
  mkdirSync(directory, { recursive: true })
  const fd = openSync(node.file('program'), 'r')
  try {
    const { signal } = new AbortController()
    return await copyBinary(fd, { directory, buildId, maxBytes: 100 * MIB, signal })
  } finally {
    closeSync(fd)
  }
}

describe('copyBinaries', () => {
  it('copies each file under its build-id, for its owner only', async () => {
    const node = new Scratch({ program: elfBinary(A), 'lib.so': elfBinary(B, MIB) })
    await node.copy()
    expect(node.copied).toEqual([A, B])
    expect(readFileSync(join(node.binaries, B)).equals(elfBinary(B, MIB))).toBe(true)
    expect(statSync(join(node.binaries, A)).mode & 0o777).toBe(0o600)
    expect(statSync(node.binaries).mode & 0o777).toBe(0o700)
  })

  it.for([
    ['while many crash', { load: 'high' }],
    ['in a storm', { load: 'storm' }],
    ['for a capture that was stopped', { stopped: true }],
    ['for a core that is refused', { reasonCode: 'CORE_REFUSED' }],
    ['for a crash above the rate', { reasonCode: 'CORE_SUPPRESSED' }],
    ['where the disk has no room for a core', { reasonCode: 'CORE_NO_SPACE' }],
  ] as const satisfies readonly (readonly [string, Options])[])(
    'copies nothing %s',
    async ([, options]) => {
      const node = new Scratch({ program: elfBinary(A) })
      await node.copy(options)
      expect(readdirSync(node.coreDir)).toEqual([])
    },
  )

  it('copies nothing that waits or that the store has', async () => {
    const node = new Scratch({ program: elfBinary(A), 'lib.so': elfBinary(B) })
    mkdirSync(node.binaries)
    writeFileSync(join(node.binaries, A), 'waits')
    writeFileSync(join(node.binaries, '.stored'), `s3://bucket/\n${B} ${Date.now()}\n`)
    await node.copy()
    expect(node.copied).toEqual(['.stored', A])
    expect(readFileSync(join(node.binaries, A), 'utf8')).toBe('waits')
  })

  it('copies nothing without a build-id that can be a name', async () => {
    const node = new Scratch({
      none: Buffer.from('#!/bin/sh\n'),
      empty: Buffer.alloc(0),
      short: elfBinary('ab'),
      long: elfBinary('ab'.repeat(65)),
      cut: elfBinary(A).subarray(0, 100),
      random: Buffer.alloc(4096, '\x7fELF\x02\x01\x01\xff', 'latin1'),
    })
    await node.copy()
    expect(node.copied).toEqual([])
    expect(node.lines).toEqual([])
  })

  it('copies one file of those that have one build-id', async () => {
    const node = new Scratch({ first: elfBinary(A), second: elfBinary(A, 9000) })
    await node.copy()
    expect(node.copied).toEqual([A])
    expect(statSync(join(node.binaries, A)).size).toBe(4096)
  })

  it('leaves out what is too large, and what there is no room for', async () => {
    const node = new Scratch({ program: elfBinary(A, 2 * MIB), 'lib.so': elfBinary(B, MIB) })
    await node.copy({ limits: { maxFileBytes: MIB } })
    expect(node.copied).toEqual([B])
    expect(node.lines.join()).toContain(`${A} is not copied: it has ${2 * MIB} bytes`)
    // one MiB waits already
    await node.copy({ limits: { maxWaitingBytes: 2 * MIB } })
    expect(node.copied).toEqual([B])
  })

  it('takes a small part of the space that is free', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'binaries-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const disk = smallDisk(directory, 20)
    if (disk === undefined) return
    await using _ = disk
    const node = new Scratch({ program: elfBinary(A, MIB) }, disk.path)
    await node.copy()
    expect(node.copied).toEqual([])
    await node.copy({ variables: { MIN_FREE_BYTES: '0' } })
    expect(node.copied).toEqual([A])
  })

  it('leaves nothing of a file that is written to meanwhile', async () => {
    const node = new Scratch({ program: elfBinary(A, 8 * MIB) })
    const copying = node.copy()
    await until('the copy has begun', () => node.copied.includes(`.${A}.part`))
    writeFileSync(node.file('program'), elfBinary(A, 8 * MIB + 1))
    await copying
    expect(node.copied).toEqual([])
    expect(node.lines.join()).toContain('it was written to meanwhile')
  })

  it('replaces what a killed composer has left', async () => {
    const node = new Scratch({ program: elfBinary(A) })
    mkdirSync(node.binaries)
    writeFileSync(join(node.binaries, `.${A}.part`), 'x'.repeat(10_000))
    await node.copy()
    expect(node.copied).toEqual([A])
    expect(readFileSync(join(node.binaries, A)).equals(elfBinary(A))).toBe(true)
  })

  it('copies for one crash at a time', async () => {
    const node = new Scratch({ program: elfBinary(A, MIB), 'lib.so': elfBinary(B) })
    await Promise.all([node.copy(), node.copy(), node.copy()])
    expect(node.copied).toEqual([A, B])
    expect(node.lines.filter((line) => line.startsWith('Copied'))).toHaveLength(2)
  })

  it('does not wait for another copier for long', async () => {
    const node = new Scratch({ program: elfBinary(A) })
    mkdirSync(node.binaries)
    const unlock = await lockCopying(node.binaries, 0)
    await node.copy({ limits: { waitMs: 300 } })
    expect(node.copied).toEqual([])
    unlock?.()
    await node.copy({ limits: { waitMs: 300 } })
    expect(node.copied).toEqual([A])
  })

  it('ends when its time is over', async () => {
    const node = new Scratch({ program: elfBinary(A, 8 * MIB), 'lib.so': elfBinary(B) })
    await node.copy({ limits: { copyMs: 20 } })
    expect(node.copied).toEqual([])
  })

  it('rejects where the directory cannot be made', async () => {
    const node = new Scratch({ program: elfBinary(A) })
    writeFileSync(node.binaries, 'a file')
    await expect(node.copy()).rejects.toThrow('ENOTDIR')
  })
})

describe('copyBinary', () => {
  it('compares the build-id of the copy, whatever the file was before', async () => {
    const node = new Scratch({ program: elfBinary(A) })
    const { atime, mtime } = statSync(node.file('program'))
    writeFileSync(node.file('program'), elfBinary(B))
    utimesSync(node.file('program'), atime, mtime)
    await expect(copyAs(node, A)).rejects.toThrow(`build-id ${B}`)
    expect(node.copied).toEqual([])
  })

  it('leaves nothing on a disk that is full', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'binaries-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const disk = smallDisk(directory, 1)
    if (disk === undefined) return
    await using _ = disk
    const node = new Scratch({ program: elfBinary(A, 2 * MIB) }, disk.path)
    await expect(copyAs(node, A)).rejects.toThrow('ENOSPC')
    expect(node.copied).toEqual([])
  })
})
