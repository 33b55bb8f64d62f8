/** What a line of the kernel's log says about core dumps. */
export type KernelLine =
  /** A core that was thrown away before any composer saw it, and whose. */
  | DropLine
  /** A policy that denied something; the name people know it by. */
  | { readonly kind: 'denial'; readonly policy: 'SELinux' | 'AppArmor'; readonly text: string }

export interface DropLine {
  readonly kind: 'drop'
  readonly reason: DropReason
  readonly text: string
  /** How many: the kernel says ten in 5 s, and the number of the others with the next one. */
  readonly crashes: number
}

export type DropReason = 'CORE_PIPE_LIMIT' | 'PIPE_FAILED'

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
  // in the function that says the line above; before 6.17 that was all of the dumping
  const untold = /^(?:coredump_pipe|vfs_coredump|do_coredump): (\d{1,9}) callbacks suppressed/.exec(
    text,
  )
  if (untold !== null) {
    return { kind: 'drop', reason: 'CORE_PIPE_LIMIT', text, crashes: Number(untold[1]) }
  }
  // `Core dump to |/x pipe failed`, `coredump: 1(x): |/x pipe failed`
  if (/^(?:Core dump to \||coredump: \d+\(.*: \|).*pipe failed/s.test(text)) {
    return { kind: 'drop', reason: 'PIPE_FAILED', text, crashes: 1 }
  }
  if (/\bavc:\s+denied\s+\{/.test(text)) return { kind: 'denial', policy: 'SELinux', text }
  if (/\bapparmor="DENIED"/.test(text)) return { kind: 'denial', policy: 'AppArmor', text }
  return undefined
}

/** Whether a denial may be of the composer: it names the program, its directory, or its comm. */
export function isAbout(line: KernelLine, hostDir: string): boolean {
  if (line.kind !== 'denial') return true
  return (
    line.text.includes(hostDir) ||
    /\b(?:comm|name|path|target)="(?:[^"]*\/)?cdc"/.test(line.text) ||
    // SELinux knows the last part of a path only; the helper is a thread of the kernel
    (line.policy === 'SELinux' && /\bscontext=\S*:kernel_t:/.test(line.text))
  )
}
