import { execFileSync, type ExecFileSyncOptions } from 'node:child_process'
import { fail } from './fail.ts'

/** Runs a build tool and returns what it printed; its stderr becomes the reason of a failure. */
export function run(
  command: string,
  args: readonly string[],
  options: ExecFileSyncOptions = {},
): string {
  try {
    return execFileSync(command, [...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
      encoding: 'utf8',
    })
  } catch (cause) {
    const { code, stderr } = cause as { code?: string; stderr?: string }
    if (code === 'ENOENT')
      return fail(
        `\`${command}\` is not installed; on Debian or Ubuntu \`npm run image\` as root installs it`,
        cause,
      )
    return fail(
      `\`${command} ${args.join(' ')}\` failed: ${stderr?.trim() ?? String(cause)}`,
      cause,
    )
  }
}
