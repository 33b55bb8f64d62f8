import { getDotPath, safeParse } from 'valibot'
import type { SettingProblem } from './problem.ts'
import { SCHEMA, VARIABLES, type VariableName, type Variables } from './variables.ts'

const SECRET = /^S3_(ACCESS_KEY|SECRET)$/

/** Typed values of all variables, and every one that had to fall back to its default. */
export function parseVariables(env: Readonly<NodeJS.ProcessEnv>): {
  readonly variables: Variables
  readonly problems: readonly SettingProblem[]
} {
  const given: Partial<Record<VariableName, string>> = {}
  const problems: SettingProblem[] = []
  for (const name of Object.keys(VARIABLES) as VariableName[]) {
    const value = env[name]?.trim() ?? ''
    if (name.startsWith('S3_') && value === 'XXX') {
      problems.push({ variable: name, got: value, message: 'is a placeholder; taken as not set' })
    } else if (value !== '') {
      given[name] = value
    }
  }

  const first = safeParse(SCHEMA, given)
  if (first.success) return { variables: first.output, problems }
  for (const issue of first.issues) {
    const variable = getDotPath(issue) as VariableName
    const got = given[variable]
    if (got === undefined) continue // one complaint for each variable
    delete given[variable]
    problems.push({
      variable,
      ...(!SECRET.test(variable) && { got: withoutPassword(got) }),
      message: `${issue.message}; ${fallback(variable)}`,
    })
  }
  const second = safeParse(SCHEMA, given)
  if (!second.success)
    throw new Error('The default settings are unusable', { cause: second.issues })
  return { variables: second.output, problems }
}

function fallback(variable: VariableName): string {
  const value = 'default' in VARIABLES[variable] ? VARIABLES[variable].default : undefined
  return value === undefined ? 'taken as not set' : `\`${value}\` is used`
}

const withoutPassword = (value: string): string => value.replace(/\/\/[^/]*@/, '//***@')
