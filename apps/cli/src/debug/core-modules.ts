import { closeSync, openSync, constants, statSync } from 'node:fs'
import {
  CrashAnalysis,
  openCoreFile,
  ElfFile,
  fileSource,
  type Module,
} from '@core-dump-handler/report'
import { CliError, messageOf } from '../error.ts'
import { show } from '../output/output.ts'

/** `e_shoff` and `e_shentsize` of an ELF header, elf(5); `e_shnum` and `e_shstrndx` follow. */
const SECTIONS_AT = 40
const SECTION_SIZE_AT = 58
const PROGRAM_HEADER_BYTES = 56
const DT_NULL = 0
const DT_SONAME = 14
const DYNAMIC_BYTES = 16
const MAX_DYNAMIC_BYTES = 64 * 1024
const MAX_NAME_BYTES = 256

/** A file that the crashed process had mapped, and how its true build is recognized. */
export interface WantedModule {
  /** As the process had it, absolute. */
  readonly path: string
  /** In hex. */
  readonly buildId?: string
  /** First page of the file in the core; the proof where there is no build-id. Empty: not in the core. */
  readonly firstPage: Buffer
  readonly isProgram: boolean
}

/**
 * The files that a debugger needs for a core.
 *
 * @throws CliError `DAMAGED` when it is no ELF core
 */
export function readWantedModules(path: string): WantedModule[] {
  const fd = open(path)
  try {
    const core = openCoreFile(fd)
    if (core === undefined) throw new CliError('DAMAGED', `${show(path)} is no ELF core`)
    const analysis = new CrashAnalysis(core)
    const program = analysis.executable
    return [...analysis.loadedModules()]
      .filter((module) => module.path.startsWith('/'))
      .map((module) => wanted(module, module === program))
  } finally {
    closeSync(fd)
  }
}

/**
 * The file is the very build that the process had: by its build-id and its headers, or by its first page where
 * it has no build-id. Anything that cannot be checked is not.
 */
export function isSameBuild(path: string, { buildId, firstPage }: WantedModule): boolean {
  const same = withElf(path, (elf) => {
    if (buildId !== undefined) {
      return elf.buildId === buildId && isWhole(elf) && hasSameHeaders(elf, firstPage)
    }
    return firstPage.length > 0 && elf.source.read(0, firstPage.length).equals(firstPage)
  })
  return same === true
}

/** DT_SONAME, the name under which the dynamic loader knows a library; undefined without one. */
export function sonameOf(path: string): string | undefined {
  return withElf(path, (elf) => {
    const dynamic = elf.section('.dynamic')
    const strings = dynamic && elf.linked(dynamic)
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

function wanted(module: Module, isProgram: boolean): WantedModule {
  const buildId = module.buildIdInCore
  return {
    path: module.path,
    ...(buildId !== undefined && { buildId }),
    firstPage: module.firstPage(),
    isProgram,
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    const message = `Cannot open the core ${show(path)}: ${messageOf(cause)}`
    throw new CliError('LOCAL', message, { cause })
  }
}

/** What the loader maps is in the file. */
function isWhole({ loads, source }: ElfFile): boolean {
  return loads.every(({ offset, filesz }) => offset + filesz <= source.size)
}

/**
 * ELF header and segments are those of the core: a build-id alone is a note that anyone can write. Where the
 * sections are is not compared, as `strip` changes it.
 */
function hasSameHeaders({ header, source }: ElfFile, page: Buffer): boolean {
  const parts = [
    [0, SECTIONS_AT],
    [SECTIONS_AT + 8, SECTION_SIZE_AT],
    [header.phoff, header.phoff + header.phnum * PROGRAM_HEADER_BYTES],
  ] as const
  return parts.every(([start, end]) => {
    // a core that was cut has less
    const known = page.subarray(start, end)
    return source.read(start, known.length).equals(known)
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
