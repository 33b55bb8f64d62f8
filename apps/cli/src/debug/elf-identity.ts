import { closeSync, constants, openSync, statSync } from 'node:fs'
import { ElfFile, fileSource } from '@core-dump-handler/report'
import type { WantedModule } from './core-modules.ts'

const DT_NULL = 0
const DT_SONAME = 14
const DYNAMIC_BYTES = 16
const MAX_DYNAMIC_BYTES = 64 * 1024
const MAX_NAME_BYTES = 256

/**
 * The file is the very build that the process had: by its build-id, or by its first page where it has none.
 * Anything that cannot be checked is not.
 */
export function isSameBuild(path: string, { buildId, firstPage }: WantedModule): boolean {
  const same = withElf(path, (elf) => {
    if (buildId !== undefined) return elf.buildId === buildId
    return firstPage.length > 0 && elf.source.read(0, firstPage.length).equals(firstPage)
  })
  return same === true
}

/** DT_SONAME, the name under which the dynamic loader knows a library; undefined without one. */
export function sonameOf(path: string): string | undefined {
  return withElf(path, (elf) => {
    const dynamic = elf.section('.dynamic')
    const strings = dynamic && elf.sections[dynamic.link]
    if (dynamic === undefined || strings === undefined) return undefined
    const table = elf.source.read(dynamic.offset, Math.min(dynamic.size, MAX_DYNAMIC_BYTES))
    for (let at = 0; at + DYNAMIC_BYTES <= table.length; at += DYNAMIC_BYTES) {
      const tag = table.readUInt32LE(at)
      if (tag === DT_NULL) return undefined
      if (tag !== DT_SONAME) continue
      const name = elf.source.read(strings.offset + table.readUInt32LE(at + 8), MAX_NAME_BYTES)
      const end = name.indexOf(0)
      return end > 0 ? name.toString('utf8', 0, end) : undefined
    }
    return undefined
  })
}

/** Regular files only: opening a FIFO waits, and opening a device may do something. */
function withElf<T>(path: string, read: (elf: ElfFile) => T): T | undefined {
  let fd: number | undefined
  try {
    if (!statSync(path).isFile()) return undefined
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const elf = ElfFile.open(fileSource(fd))
    return elf && read(elf)
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}
