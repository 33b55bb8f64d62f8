import { execa } from 'execa'
import { cdhCommand, cdhOptions, type CdhRun } from './run-cdh.ts'

/** Runs `cdh` on a terminal of its own; `stdout` has all that it printed there. */
export async function runCdhInTerminal(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  columns = 80,
): Promise<CdhRun> {
  const command = cdhCommand(args).map(quote).join(' ')
  const script = ['--quiet', '--return', '--command', `stty cols ${columns}; exec ${command}`]
  const options = cdhOptions({ TERM: 'xterm', SHELL: '/bin/sh', ...env })
  const { exitCode, stdout } = await execa('script', [...script, '/dev/null'], options)
  return { code: exitCode, stdout, stderr: '' }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
