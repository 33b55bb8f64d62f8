import { execFile, type ExecFileOptions } from 'node:child_process'
import { promisify } from 'node:util'

const execFileAsync = promisify(execFile)

/** Run a program to its end and return what it printed; the error carries the last lines of its output. */
export async function run(
  program: string,
  args: readonly string[],
  options: ExecFileOptions = {},
): Promise<string> {
  try {
    const { stdout } = await execFileAsync(program, args, {
      ...options,
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    })
    return stdout
  } catch (cause) {
    throw new Error(`\`${[program, ...args].join(' ')}\` failed: ${lastLines(cause)}`, { cause })
  }
}

function lastLines(cause: unknown): string {
  const { stderr, stdout, message } = cause as { stderr?: string; stdout?: string; message: string }
  const text = stderr?.trim() || stdout?.trim() || message
  return text.split('\n').slice(-8).join('\n')
}
