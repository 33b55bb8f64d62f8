import * as v from 'valibot'

/** A setting that could not be used as it was given; the agent runs anyway. */
export interface SettingProblem {
  readonly variable: string
  /** What it was set to; absent where that may be a secret. */
  readonly got?: string
  /** Why, and what is done instead. */
  readonly message: string
}

const SECRET = /^S3_(ACCESS_KEY|SECRET)$/

/** Typed values of variables, and every one that had to fall back to its default. An empty one counts as not set. */
export function parseVariables<const T extends v.ObjectEntries>(
  env: Readonly<NodeJS.ProcessEnv>,
  entries: T,
): {
  readonly variables: v.InferOutput<v.ObjectSchema<T, undefined>>
  readonly problems: readonly SettingProblem[]
} {
  const given = new Map<string, string>()
  const problems: SettingProblem[] = []
  for (const name of Object.keys(entries)) {
    const value = env[name]?.trim() ?? ''
    if (name.startsWith('S3_') && value === 'XXX') {
      problems.push({ variable: name, got: value, message: 'is a placeholder; taken as not set' })
    } else if (value !== '') {
      given.set(name, value)
    }
  }

  const schema = v.object(entries)
  const result = v.safeParse(schema, Object.fromEntries(given))
  if (result.success) return { variables: result.output, problems }
  for (const issue of result.issues) {
    const variable = v.getDotPath(issue) ?? ''
    const got = given.get(variable)
    if (got === undefined) continue // one complaint for each variable
    given.delete(variable)
    problems.push({
      variable,
      ...(!SECRET.test(variable) && { got: withoutPassword(got) }),
      message: `${issue.message}; ${fallbackOf(entries[variable])}`,
    })
  }
  return { variables: v.parse(schema, Object.fromEntries(given)), problems }
}

function fallbackOf(schema: v.ObjectEntries[string] | undefined): string {
  const value = schema !== undefined && 'default' in schema ? schema.default : undefined
  return typeof value === 'string' ? `\`${value}\` is used` : 'taken as not set'
}

const withoutPassword = (value: string): string => value.replace(/\/\/[^/]*@/, '//***@')
