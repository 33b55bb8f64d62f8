import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { parseVariables as parse, type SettingProblem } from '@core-dump-handler/upload/settings'
import { VARIABLES, type Variables } from './variables.ts'

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

/** Typed values of all variables, and every one that had to fall back to its default. */
export function parseVariables(env: Readonly<NodeJS.ProcessEnv>): {
  readonly variables: Variables
  readonly problems: readonly SettingProblem[]
} {
  return parse(env, VARIABLES)
}
