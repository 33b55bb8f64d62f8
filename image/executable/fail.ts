import { ExecaSyncError } from 'execa'

/** Ends a build with one sentence instead of a stack trace. */
export class BuildError extends Error {
  override readonly name = 'BuildError'
}

export function fail(message: string, cause?: unknown): never {
  throw new BuildError(message, { cause })
}

/** Run a build; a {@link BuildError} or a build tool that fails is reported in one sentence, with exit code 1. */
export async function reportFailure(build: () => Promise<void>): Promise<void> {
  try {
    await build()
  } catch (error) {
    const message = error instanceof BuildError ? error.message : ofTool(error)
    if (message === undefined) throw error
    console.error(message)
    process.exitCode = 1
  }
}

function ofTool(error: unknown): string | undefined {
  if (!(error instanceof ExecaSyncError)) return undefined
  if (error.code !== 'ENOENT') return error.message
  return `\`${error.command}\`: the program is not installed; on Debian or Ubuntu \`npm run image\` as root installs it`
}
