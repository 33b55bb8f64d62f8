import { LogFile } from '../log/log-file.ts'
import { redactor, visible } from '../log/redact.ts'
import type { CommandContext } from '../context.ts'
import { nodeFiles } from '../node/node-files.ts'

export interface LogsOptions {
  /** Whether added lines are printed as well, until the signal is aborted. */
  readonly follow: boolean
  /** How many of the lines that exist. */
  readonly lines: number
}

/** Prints the end of the composer's log on this node. Exit code 1 where it cannot be read. */
export async function logs(
  { settings, log, signal }: CommandContext,
  { follow, lines }: LogsOptions,
): Promise<number> {
  const path = nodeFiles(settings.hostDir).composerLog
  const redact = redactor(settings.secrets)
  // version 9 wrote the names that crashed processes chose without escaping them
  const print = (texts: readonly string[]): void => {
    for (const text of texts) process.stdout.write(`${visible(redact(text))}\n`)
  }
  try {
    await using file = new LogFile(path)
    const there = await file.read(lines)
    if (there === undefined) {
      log.warn({ path }, 'there is no composer.log yet: no line was due at COMP_LOG_LEVEL')
    }
    print(there ?? [])
    if (follow) for await (const added of file.follow(signal)) print(added)
    return 0
  } catch (err) {
    log.error({ path, err }, 'cannot read the log of the composer')
    return 1
  }
}
