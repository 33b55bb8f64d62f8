import { execa } from 'execa'

const CLI = new URL('../../../../apps/cli/src/cli.ts', import.meta.url).pathname

export interface CdhRun {
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** Runs `cdh` from its sources in an environment of its own. */
export async function runCdh(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): Promise<CdhRun> {
  const [program, ...rest] = cdhCommand(args)
  const options = { ...cdhOptions(env), ...(cwd !== undefined && { cwd }) }
  const { exitCode, stdout, stderr } = await execa(program, rest, options)
  return { code: exitCode, stdout, stderr }
}

/** The command line of `cdh` from its sources. */
export function cdhCommand(args: readonly string[]): [string, ...string[]] {
  return [process.execPath, '--conditions=@core-dump-handler/source', CLI, ...args]
}

/** Options of execa: an environment of its own, and nothing to read. */
export function cdhOptions(env: Readonly<Record<string, string>>) {
  return {
    env: { PATH: process.env['PATH'] ?? '', AWS_EC2_METADATA_DISABLED: 'true', ...env },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
  } as const
}
