import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { FileMapping } from '../core/core-facts.ts'
import type { OpenModule } from './module.ts'

export interface ModuleFilesOptions {
  /** Where the paths of the core begin: a sysroot, or `/proc/<pid>/root`. @default '/' */
  readonly root?: string
  /** `/proc/<pid>/map_files`: the very files that are mapped, tried before `root`. */
  readonly mapFiles?: string
  /** The last component of a path may be a symbolic link. Never where the process chose the paths. @default false */
  readonly followLinks?: boolean
  /** Open at once. @default 512 */
  readonly maxFiles?: number
}

/** The files of modules, opened when they are first asked for and kept until `close`. */
export interface ModuleFiles {
  readonly open: OpenModule
  /** Opens those of all mappings now, so that they can be read when the process is gone. */
  openAll(mappings: Iterable<FileMapping>): void
  close(): void
}

/** Regular files only; a device, a FIFO or a path that leads nowhere is no file. */
export function openModuleFiles({
  root = '/',
  mapFiles,
  followLinks = false,
  maxFiles = 512,
}: ModuleFilesOptions = {}): ModuleFiles {
  const files = new Map<string, number | undefined>()
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | (followLinks ? 0 : constants.O_NOFOLLOW)
  let count = 0
  const open: OpenModule = (path, mapping) => {
    if (files.has(path)) return files.get(path)
    if (count >= maxFiles) return undefined
    const range = `${mapping.start.toString(16)}-${mapping.end.toString(16)}`
    const fd =
      (mapFiles === undefined
        ? undefined
        : openRegular(join(mapFiles, range), constants.O_RDONLY | constants.O_NONBLOCK)) ??
      openRegular(join(root, path), flags)
    if (fd !== undefined) count++
    files.set(path, fd)
    return fd
  }
  return {
    open,
    openAll(mappings) {
      for (const mapping of mappings) open(mapping.path, mapping)
    },
    close() {
      for (const fd of files.values()) if (fd !== undefined) closeSync(fd)
      files.clear()
      count = maxFiles
    },
  }
}

function openRegular(path: string, flags: number): number | undefined {
  let fd: number
  try {
    fd = openSync(path, flags)
  } catch {
    return undefined
  }
  if (fstatSync(fd).isFile()) return fd
  closeSync(fd)
  return undefined
}
