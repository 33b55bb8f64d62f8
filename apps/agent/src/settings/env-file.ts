import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'

/** `env`, and below it the `.env` in `directory` where there is one: a variable that is set wins. */
export function withEnvFile(
  env: Readonly<NodeJS.ProcessEnv>,
  directory: string,
): NodeJS.ProcessEnv {
  try {
    return { ...parseEnv(readFileSync(join(directory, '.env'), 'utf8')), ...env }
  } catch {
    return { ...env } // none is the rule in a container
  }
}
