import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const GDB = [
  '-q',
  '-batch',
  '-nx',
  ...['set auto-load off', 'set debuginfod enabled off'].flatMap((line) => ['-iex', line]),
  ...[
    'set pagination off',
    'set width 0',
    'set print frame-arguments none',
    'set backtrace past-main on',
    'set backtrace limit 400',
  ].flatMap((line) => ['-ex', line]),
]

/** Frames that gdb makes up (inlined, tail calls) are left out; type() of gdb's frames. */
const SCRIPT = `
import gdb, json
threads = []
for thread in sorted(gdb.selected_inferior().threads(), key=lambda t: t.num):
    thread.switch()
    frames, frame = [], gdb.newest_frame()
    try:
        while frame is not None and len(frames) < 400:
            if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
                frames.append(frame.pc())
            frame = frame.older()
    except gdb.error:
        pass
    threads.append({'tid': thread.ptid[1] or thread.ptid[2], 'pcs': [hex(pc) for pc in frames]})
json.dump(threads, open(OUT, 'w'))
`

export interface DebuggerThread {
  readonly tid: number
  /** In hex, innermost first. */
  readonly pcs: readonly string[]
}

/** The frames of every thread, as gdb has them. */
export function gdbFrames(program: string, core: string): DebuggerThread[] {
  const directory = mkdtempSync(join(tmpdir(), 'gdb-'))
  try {
    const out = join(directory, 'out.json')
    const script = join(directory, 'frames.py')
    writeFileSync(script, `OUT = ${JSON.stringify(out)}\n${SCRIPT}`)
    gdb(program, core, ['-x', script])
    const parsed: DebuggerThread[] = JSON.parse(readFileSync(out, 'utf8'))
    return parsed
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The last so many frames of the crashing thread, however many come before them. */
export function gdbOutermostFrames(program: string, core: string, count: number): string[] {
  const commands = ['set backtrace limit unlimited', 'set print address on', `bt -${count}`]
  const lines = gdb(
    program,
    core,
    commands.flatMap((line) => ['-ex', line]),
  ).split('\n')
  // the innermost frame is shown when a core is opened
  return lines
    .flatMap((line) => /^#\d+\s+0x0*([0-9a-f]+) in /.exec(line)?.slice(1) ?? [])
    .slice(-count)
    .map((pc) => `0x${pc}`)
}

/** The lines of `thread apply all bt` of gdb or `command`, without the paths of libraries, which a core may have by another name. */
export function gdbBacktraces(program: string, core: string, command?: string): string[] {
  return gdb(program, core, ['-ex', 'thread apply all bt'], command)
    .split('\n')
    .filter((line) => line.startsWith('#') || line.startsWith('Thread '))
    .map((line) =>
      line.replace(/ from \/.*/, '').replace(/\((Thread 0x\w+ \()?LWP (\d+)\)+/, 'LWP $2'),
    )
}

function gdb(program: string, core: string, commands: readonly string[], command = 'gdb'): string {
  return execFileSync(command, [...GDB, ...commands, program, core], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 64 * 1024 * 1024,
    timeout: 120_000,
  })
}

/** The frames of every thread, as eu-stack of elfutils has them. */
export function euStackFrames(program: string, core: string): DebuggerThread[] {
  const threads: { tid: number; pcs: string[] }[] = []
  for (const line of euStack(program, core).split('\n')) {
    const tid = /^TID (\d+):/.exec(line)?.[1]
    const pc = /^#\d+\s+(0x[0-9a-f]+)/.exec(line)?.[1]
    if (tid !== undefined) threads.push({ tid: Number(tid), pcs: [] })
    else if (pc !== undefined) threads.at(-1)?.pcs.push(`0x${BigInt(pc).toString(16)}`)
  }
  return threads
}

/** It exits with 1 when a stack is longer than it shows, or ends early. */
function euStack(program: string, core: string): string {
  const script = 'eu-stack -q -n 400 --core "$1" -e "$2" || true'
  return execFileSync('sh', ['-c', script, 'sh', core, program], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 64 * 1024 * 1024,
    timeout: 120_000,
  })
}
