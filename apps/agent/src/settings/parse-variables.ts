import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { getDotPath, parse, safeParse } from 'valibot'
import { SCHEMA, VARIABLES, type VariableName, type Variables } from './variables.ts'

/** A setting that could not be used as it was given; the agent runs anyway. */
export interface SettingProblem {
  readonly variable: string
  /** What it was set to; absent where that may be a secret. */
  readonly got?: string
  /** Why, and what is done instead. */
  readonly message: string
}

const SECRET = /^S3_(ACCESS_KEY|SECRET)$/

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
  const given = new Map<string, string>()
  const problems: SettingProblem[] = []
  for (const name of Object.keys(VARIABLES)) {
    const value = env[name]?.trim() ?? ''
    if (name.startsWith('S3_') && value === 'XXX') {
      problems.push({ variable: name, got: value, message: 'is a placeholder; taken as not set' })
    } else if (value !== '') {
      given.set(name, value)
    }
  }

  const result = safeParse(SCHEMA, Object.fromEntries(given))
  if (result.success) return { variables: result.output, problems }
  for (const issue of result.issues) {
    const variable = getDotPath(issue) ?? ''
    const got = given.get(variable)
    if (got === undefined) continue // one complaint for each variable
    given.delete(variable)
    problems.push({
      variable,
      ...(!SECRET.test(variable) && { got: withoutPassword(got) }),
      message: `${issue.message}; ${fallbackOf(variable)}`,
    })
  }
  return { variables: parse(SCHEMA, Object.fromEntries(given)), problems }
}

function fallbackOf(variable: string): string {
  const value = isVariable(variable) ? VARIABLES[variable].default : undefined
  return value === undefined ? 'taken as not set' : `\`${value}\` is used`
}

const isVariable = (name: string): name is VariableName => Object.hasOwn(VARIABLES, name)

const withoutPassword = (value: string): string => value.replace(/\/\/[^/]*@/, '//***@')
