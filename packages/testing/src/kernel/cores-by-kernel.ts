import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setCoreSysctl, withKernel } from './kernel.ts'

/** The longest pattern, core(5). */
const MAX_PATTERN_BYTES = 127

/** A program that prints a line when its memory is filled, and crashes when its standard input ends. */
export interface Wanted {
  readonly command: readonly string[]
  /** Where its core is to be. */
  readonly path: string
}

/**
 * Crash programs and have the kernel write their cores to files. Its settings are locked only during
 * the dumps, as other crashes of the machine go the same way.
 */
export async function coresByKernel(directory: string, wanted: readonly Wanted[]): Promise<void> {
  const pattern = join(directory, 'core.%p')
  if (Buffer.byteLength(pattern) > MAX_PATTERN_BYTES) {
    throw new Error(`The kernel takes no core_pattern as long as ${pattern}: use a shorter path`)
  }
  const programs: ChildProcess[] = []
  try {
    for (const { command } of wanted) programs.push(await filled(command, directory))
    await withKernel(async () => {
      setCoreSysctl('kernel.core_pattern', pattern)
      for (const program of programs) {
        const ended = once(program, 'exit')
        program.stdin?.end()
        await ended
      }
    })
    for (const [index, { command, path }] of wanted.entries()) {
      const core = join(directory, `core.${programs[index]?.pid}`)
      if (!existsSync(core)) throw new Error(`The kernel wrote no core of ${command.join(' ')}`)
      renameSync(core, path)
    }
  } finally {
    for (const program of programs) if (program.exitCode === null) program.kill('SIGKILL')
    // of other programs that crashed meanwhile
    for (const name of readdirSync(directory).filter((each) => /^core\.\d+$/.test(each))) {
      rmSync(join(directory, name))
    }
  }
}

/** Start it without a core limit, and wait until its memory is filled. */
async function filled(command: readonly string[], cwd: string): Promise<ChildProcess> {
  const unlimited = 'ulimit -c unlimited && exec "$@"'
  const program = spawn('sh', ['-c', unlimited, 'sh', ...command], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd,
  })
  const lines = createInterface(program.stdout)
  const [line] = await Promise.race([once(lines, 'line'), once(program, 'exit')])
  if (line === 'ready') return program
  throw new Error(`${command.join(' ')} ended with ${String(line)} before its memory was filled`)
}
