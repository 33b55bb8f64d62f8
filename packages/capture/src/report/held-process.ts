import {
  close,
  closeSync,
  constants,
  existsSync,
  fstat,
  open,
  openSync,
  readSync,
  type Stats,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ProcessSnapshot } from '@core-dump-handler/cri'
import type { Crash } from '../crash.ts'
import { within } from '../timing.ts'

// not node:fs/promises: it would be loaded while a process is held
const openFile = promisify(open)
const statOf = promisify(fstat)

const MAX_MAPS_BYTES = 4 * 1024 * 1024
const PIECE_BYTES = 65_536
const MAX_FILES = 256
/** The opening of a file on a file system that does not answer must not hold the process. */
const OPEN_WAIT_MS = 100
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY
// open(2); Node does not name it: it opens no device and waits for no FIFO
const O_PATH = 0o10000000
// proc_pid_maps(5): range, permissions, offset, device, inode, path
const LINE = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ (\S+) (\d+) *(.*)$/gm

/** A file whose code the process had mapped. */
export interface MappedFile {
  /** Of its code, as `map_files` names it. */
  readonly range: string
  readonly path: string
  /** Undefined until it is open, and where it cannot be opened. */
  fd: number | undefined
  /** Device that it is on. */
  dev: number
}

/**
 * What a report needs of the crashed process itself, opened while the kernel holds it: the descriptors
 * outlive it. proc_pid_map_files(5), proc_pid_mem(5).
 */
export class HeldProcess {
  /** Resolves when all files are open, but no later than after 100 ms; does not reject. */
  readonly opened: Promise<unknown>
  readonly #allOpened: Promise<void>
  /** Descriptor of its memory, readable until the end of the dump. */
  readonly memory: number | undefined
  /** Where its vdso begins, which differs from process to process. */
  readonly vdso: number | undefined
  readonly files: readonly MappedFile[]
  readonly #byStart: ReadonlyMap<number, MappedFile>
  #isClosed = false
  #waiting = 0

  /** `directory`: of the process in procfs. */
  constructor(directory: string) {
    const { files, byStart, vdso } = parseMaps(readMaps(join(directory, 'maps')))
    this.files = files
    this.#byStart = byStart
    this.vdso = vdso
    this.memory = files.length === 0 ? undefined : openMemory(join(directory, 'mem'))
    this.#allOpened = this.wait(this.#openAll(directory))
    this.opened = within(this.#allOpened, OPEN_WAIT_MS)
  }

  /** Whether all files are open, or cannot be opened, within so long. */
  async openedWithin(timeoutMs: number): Promise<boolean> {
    return (
      (await within(
        this.#allOpened.then(() => true),
        timeoutMs,
      )) === true
    )
  }

  /** A call has not returned, and keeps a thread of libuv's pool: there must not be a second one. */
  get isWaiting(): boolean {
    return this.#waiting > 0
  }

  /** Of a call that may never return, by its promise. */
  async wait<T>(call: Promise<T>): Promise<T> {
    this.#waiting++
    try {
      return await call
    } finally {
      this.#waiting--
    }
  }

  /** The file that is mapped at this address, where a mapping begins. */
  fileAt(start: number): MappedFile | undefined {
    return this.#byStart.get(start)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.memory !== undefined) closeSync(this.memory)
    for (const file of this.files) {
      if (file.fd !== undefined) closeSync(file.fd)
      file.fd = undefined
    }
  }

  /** One after the other: an opening that hangs keeps a thread of the pool, which the drain needs. */
  async #openAll(directory: string): Promise<void> {
    for (const file of this.files) {
      if (this.#isClosed) return
      const opened =
        (await openRegular(join(directory, 'map_files', file.range))) ??
        (await openBelow(join(directory, 'root'), file.path))
      if (opened === undefined) continue
      file.dev = opened.stats.dev
      if (this.#isClosed) close(opened.fd)
      else file.fd = opened.fd
    }
  }
}

/** Where procfs has the crashed process, if it is sure that it is the one that the kernel holds. */
export function heldDirectory(
  { hostPid, hostTid }: Crash,
  snapshot: ProcessSnapshot | undefined,
  procRoot: string,
): string | undefined {
  if (hostPid === undefined || snapshot?.stable !== true || !snapshot.coreDumping) return undefined
  // a first thread that has ended shows nothing under its own id
  const thread = join(procRoot, String(hostTid ?? hostPid))
  return existsSync(thread) ? thread : join(procRoot, String(hostPid))
}

function readMaps(path: string): string {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY)
  } catch {
    return ''
  }
  const pieces: Buffer[] = []
  try {
    for (let left = MAX_MAPS_BYTES; left > 0;) {
      const piece = Buffer.allocUnsafe(PIECE_BYTES)
      const length = readSync(fd, piece)
      if (length === 0) break
      pieces.push(piece.subarray(0, length))
      left -= length
    }
  } catch {
    // what was read until then
  } finally {
    closeSync(fd)
  }
  return Buffer.concat(pieces).toString('latin1')
}

function parseMaps(text: string): {
  readonly files: MappedFile[]
  readonly byStart: ReadonlyMap<number, MappedFile>
  readonly vdso: number | undefined
} {
  const starts = new Map<string, number[]>()
  const loaded = new Map<string, MappedFile>()
  let vdso: number | undefined
  for (const [, start = '', end = '', permissions = '', device, inode, path = ''] of text.matchAll(
    LINE,
  )) {
    if (path === '[vdso]') vdso = Number.parseInt(start, 16)
    if (inode === '0' || !path.startsWith('/')) continue
    const key = `${device} ${inode} ${path}`
    const known = starts.get(key)
    if (known) known.push(Number.parseInt(start, 16))
    else starts.set(key, [Number.parseInt(start, 16)])
    if (!permissions.includes('x') || loaded.has(key) || loaded.size === MAX_FILES) continue
    const range = `${start.replace(/^0+/, '')}-${end.replace(/^0+/, '')}`
    loaded.set(key, { range, path, fd: undefined, dev: 0 })
  }
  const byStart = new Map<number, MappedFile>()
  for (const [key, file] of loaded) {
    for (const start of starts.get(key) ?? []) byStart.set(start, file)
  }
  return { files: [...loaded.values()], byStart, vdso }
}

function openMemory(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY)
  } catch {
    return undefined
  }
}

interface Opened {
  readonly fd: number
  readonly stats: Stats
}

async function openRegular(path: string, flags = FLAGS): Promise<Opened | undefined> {
  try {
    const fd = await openFile(path, flags)
    const stats = await statOf(fd)
    if (stats.isFile()) return { fd, stats }
    close(fd)
  } catch {
    // not there, or not for us
  }
  return undefined
}

/**
 * Without the capability for `map_files`: the file that has its path now, whose build-id is compared
 * later. The container chose the path, so that it is opened only when it is known to be a file.
 */
async function openBelow(root: string, path: string): Promise<Opened | undefined> {
  const found = await openRegular(join(root, path), O_PATH | constants.O_NOFOLLOW)
  if (found === undefined) return undefined
  const opened = await openRegular(`/proc/self/fd/${found.fd}`)
  close(found.fd)
  return opened
}
