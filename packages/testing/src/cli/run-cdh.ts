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
  const node = ['--conditions=@core-dump-handler/source', CLI, ...args]
  const { exitCode, stdout, stderr } = await execa(process.execPath, node, {
    env: { PATH: process.env['PATH'] ?? '', AWS_EC2_METADATA_DISABLED: 'true', ...env },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    ...(cwd !== undefined && { cwd }),
  })
  return { code: exitCode, stdout, stderr }
}
