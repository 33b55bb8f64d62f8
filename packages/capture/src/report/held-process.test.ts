import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canMountSilentFiles, mountSilentFile } from '@core-dump-handler/testing/cri/silent-file'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HeldProcess } from './held-process.ts'
import { findLocalFiles } from './local-files.ts'

/** A process in procfs that has these files mapped, each with one page of code. */
function scratchProcess(...paths: readonly string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'held-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  mkdirSync(join(directory, 'root'))
  const lines = paths.map((path, index) => {
    const start = 0x10000 * (index + 1)
    const range = `${start.toString(16).padStart(8, '0')}-${(start + 4096).toString(16)}`
    return `${range} r-xp 00000000 08:01 ${index + 1} ${path}\n`
  })
  writeFileSync(join(directory, 'maps'), lines.join(''))
  return directory
}

function openPaths({ files }: HeldProcess): string[] {
  return files.filter(({ fd }) => fd !== undefined).map(({ path }) => path)
}

describe('HeldProcess', () => {
  it('keeps the files and nothing of the memory of a process that has ended', async () => {
    const child = spawn('sleep', ['100'], { stdio: 'ignore' })
    await once(child, 'spawn')
    const held = new HeldProcess(`/proc/${child.pid}`)
    onTestFinished(() => held.close())
    await held.opened
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(held.vdso).toBeGreaterThan(0)
    expect(openPaths(held)).toEqual(held.files.map(({ path }) => path))
    expect(held.files.length).toBeGreaterThan(0)
    const magic = Buffer.alloc(4)
    for (const { fd = -1 } of held.files) {
      readSync(fd, magic, 0, 4, 0)
      expect(magic.toString('latin1')).toBe('\x7fELF')
    }
    const isLocal = await findLocalFiles(held)
    expect(held.files.filter(isLocal)).toEqual(held.files)
  })

  it('opens regular files only, where it has no map_files', async () => {
    const process = scratchProcess('/lib/real.so', '/lib/fifo.so', '/lib/link.so', '/gone', '/lib')
    mkdirSync(join(process, 'root/lib'))
    writeFileSync(join(process, 'root/lib/real.so'), 'file')
    symlinkSync('/dev/null', join(process, 'root/lib/link.so'))
    execFileSync('mkfifo', [join(process, 'root/lib/fifo.so')])
    const held = new HeldProcess(process)
    await held.opened
    expect(openPaths(held)).toEqual(['/lib/real.so'])
    expect(held.fileAt(0x10000)?.path).toBe('/lib/real.so')
    expect(held.fileAt(0x10001)).toBeUndefined()
    held.close()
    held.close()
    expect(openPaths(held)).toEqual([])
  })

  it('has nothing of a process whose maps are missing, empty or no maps', () => {
    for (const text of [
      undefined,
      '',
      '\0\xff'.repeat(10_000),
      '1-2 r-xp 0 0:0 0 \n'.repeat(1000),
    ]) {
      const directory = mkdtempSync(join(tmpdir(), 'held-'))
      onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
      if (text !== undefined) writeFileSync(join(directory, 'maps'), text, 'latin1')
      const held = new HeldProcess(directory)
      expect([held.files, held.memory, held.vdso]).toEqual([[], undefined, undefined])
      held.close()
    }
  })

  it('opens at most 256 files', async () => {
    const paths = Array.from({ length: 1000 }, (_, index) => `/lib/${index}.so`)
    const held = new HeldProcess(scratchProcess(...paths))
    await held.opened
    expect(held.files.length).toBe(256)
    held.close()
  })

  it.skipIf(!canMountSilentFiles())(
    'does not wait for a file system that does not answer',
    async () => {
      const process = scratchProcess('/real', '/silent')
      for (const name of ['real', 'silent']) writeFileSync(join(process, 'root', name), '')
      const { release } = await mountSilentFile(join(process, 'root/silent'))
      try {
        const started = performance.now()
        const held = new HeldProcess(process)
        await held.opened
        const isLocal = await findLocalFiles(held)
        expect(performance.now() - started).toBeLessThan(1000)
        expect(openPaths(held)).toEqual(['/real'])
        // of a file system that may not answer either, nothing is read
        expect(held.files.map(isLocal)).toEqual([false, false])
        held.close()
      } finally {
        await release()
      }
    },
  )
})
