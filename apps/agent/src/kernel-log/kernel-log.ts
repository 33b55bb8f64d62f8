import { closeSync, constants, openSync, readSync } from 'node:fs'
import { codeOf, messageOf } from '../error.ts'

const RECORD_BYTES = 8192

interface KernelLogOptions {
  /** Whether to begin with the records the kernel still has, instead of with new ones. @default false */
  readonly fromStart?: boolean
}

/**
 * Lines of the kernel's log since it was last read by this object, kmsg(4); none where it may not be read.
 * It is read on purpose with O_NONBLOCK and readSync: each read gives one record, the end is EAGAIN.
 */
export class KernelLog {
  /** Why it cannot be read, if so: a container has no /dev/kmsg unless it is privileged. */
  readonly unreadable: string | undefined
  readonly #fd: number | undefined

  constructor({ fromStart = false }: KernelLogOptions = {}) {
    try {
      this.#fd = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK)
    } catch (error) {
      this.unreadable = messageOf(error)
    }
    if (!fromStart) this.read()
  }

  read(): string[] {
    const lines: string[] = []
    const record = Buffer.allocUnsafe(RECORD_BYTES)
    while (this.#fd !== undefined) {
      try {
        const bytes = readSync(this.#fd, record)
        if (bytes === 0) break
        // `priority,sequence,time,flags;text`, then lines of further facts
        lines.push(
          record
            .toString('utf8', 0, bytes)
            .replace(/^[^;]*;/, '')
            .split('\n', 1)[0] ?? '',
        )
      } catch (error) {
        // EPIPE: records were overwritten before they could be read; the next are there
        if (codeOf(error) === 'EPIPE') continue
        break
      }
    }
    return lines
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
  }
}

/** What a line of the kernel's log reports about core dumps. */
export type KernelLine = DropLine | DenialLine

/** A core that was thrown away before any composer ran. */
export interface DropLine {
  readonly kind: 'drop'
  readonly reason: DropReason
  readonly text: string
  /** How many: the kernel logs ten in 5 s, and the number of the others with the next one. */
  readonly crashes: number
}

export type DropReason = 'CORE_PIPE_LIMIT' | 'PIPE_FAILED' | 'SOCKET_FAILED'

/** A security policy that denied something. */
export interface DenialLine {
  readonly kind: 'denial'
  /** By its common name. */
  readonly policy: 'SELinux' | 'AppArmor'
  /** As the policy names it, such as `execmem` or `mknod`. */
  readonly permission: string
  /** What the denied program was about to do. */
  readonly action: 'run' | 'write' | 'executable memory'
  readonly text: string
}

/**
 * Reads one line of the kernel's log, in the words of Linux before and since 6.11; `undefined`:
 * it is about something else.
 */
export function readKernelLine(line: string): KernelLine | undefined {
  const text = line.slice(0, 500)
  // `Pid 1(x) over core_pipe_limit`, `coredump: 1(x): over core_pipe_limit, skipping core dump`
  if (/(?:^Pid \d+\(|^coredump: \d+\().*over core_pipe_limit/s.test(text)) {
    return { kind: 'drop', reason: 'CORE_PIPE_LIMIT', text, crashes: 1 }
  }
  // from the function that logs the line above; before 6.17 that was all of the dumping
  const suppressed =
    /^(?:coredump_pipe|vfs_coredump|do_coredump): (\d{1,9}) callbacks suppressed/.exec(text)
  if (suppressed !== null) {
    return { kind: 'drop', reason: 'CORE_PIPE_LIMIT', text, crashes: Number(suppressed[1]) }
  }
  // such as -11, the queue of the socket is full, and -111, no receiver listens
  const unconnected = /^coredump_sock_connect: (\d{1,9}) callbacks suppressed/.exec(text)
  if (unconnected !== null) {
    return { kind: 'drop', reason: 'SOCKET_FAILED', text, crashes: Number(unconnected[1]) }
  }
  // `Core dump to |/x pipe failed`, `coredump: 1(x): |/x pipe failed`
  if (/^(?:Core dump to \||coredump: \d+\(.*: \|).*pipe failed/s.test(text)) {
    return { kind: 'drop', reason: 'PIPE_FAILED', text, crashes: 1 }
  }
  // `coredump: 1(x): Coredump socket connection /x failed -111`: no receiver listened
  if (/^coredump: \d+\(.*: Coredump socket connection .* failed/s.test(text)) {
    return { kind: 'drop', reason: 'SOCKET_FAILED', text, crashes: 1 }
  }
  return readDenial(text)
}

function readDenial(text: string): DenialLine | undefined {
  const avc = /\bavc:\s+denied\s+\{\s*([^}]*?)\s*\}/.exec(text)
  if (avc !== null) {
    const permission = avc[1] ?? ''
    return { kind: 'denial', policy: 'SELinux', permission, action: avcAction(permission), text }
  }
  if (!/\bapparmor="DENIED"/.test(text)) return undefined
  const permission = /\boperation="([^"]*)"/.exec(text)?.[1] ?? ''
  const mask = /\bdenied_mask="([^"]*)"/.exec(text)?.[1] ?? ''
  // file permissions of AppArmor: write, append, create, delete, link
  const action = permission !== 'exec' && /[wacdl]/.test(mask) ? 'write' : 'run'
  return { kind: 'denial', policy: 'AppArmor', permission, action, text }
}

function avcAction(permission: string): DenialLine['action'] {
  if (/\bexec(?:mem|mod|stack|heap)\b/.test(permission)) return 'executable memory'
  return /\b(?:write|append|create|add_name|remove_name|rename|link|unlink|mkdir|setattr)\b/.test(
    permission,
  )
    ? 'write'
    : 'run'
}

/** Whether a denial may be of the composer: it names the program, its directories, or its comm. */
export function isAbout(line: KernelLine, directories: readonly string[]): boolean {
  if (line.kind !== 'denial') return true
  return (
    directories.some((directory) => line.text.includes(directory)) ||
    /\b(?:comm|name|path|target)="(?:[^"]*\/)?cdc"/.test(line.text) ||
    // SELinux logs the last part of a path only; the helper is a thread of the kernel
    (line.policy === 'SELinux' && /\bscontext=\S*:kernel_t:/.test(line.text)) ||
    // once it runs, its comm is that of Node's main thread, in whatever domain
    (line.action === 'executable memory' && /\bcomm="MainThread"/.test(line.text))
  )
}
