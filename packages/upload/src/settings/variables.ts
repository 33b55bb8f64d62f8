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

// what a variable accepts, with a description for documents

function matching(accepts: string, pattern: RegExp) {
  return v.pipe(v.string(), v.regex(pattern, `expected ${accepts}`), v.description(accepts))
}

export function oneOf<const T extends string>(...values: T[]) {
  const accepts = `one of ${values.join(', ')}`
  return v.pipe(
    v.string(),
    v.toLowerCase(),
    v.picklist(values, `expected ${accepts}`),
    v.description(accepts),
  )
}

export const bool = v.pipe(
  v.string(),
  v.toLowerCase(),
  v.picklist(['true', 'false'], 'expected `true` or `false`'),
  v.transform((value) => value === 'true'),
  v.description('`true` or `false`'),
)

export function integer(min: number, max: number, unit = '') {
  const accepts = `a whole number${unit} from ${min} to ${max}`
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,16}$/, `expected ${accepts}`),
    v.transform(Number),
    v.minValue(min, `expected ${accepts}`),
    v.maxValue(max, `expected ${accepts}`),
    v.description(accepts),
  )
}

export const path = v.pipe(
  matching('an absolute path', /^\/\P{Cc}*$/u),
  v.transform((value) => value.replace(/(?<=.)\/+$/, '')),
  v.description('an absolute path'),
)
export const text = matching('one line of text', /^\P{Cc}*$/u)

export const url = (accepts: string, pattern: RegExp) =>
  v.pipe(
    matching(accepts, pattern),
    v.regex(/^[^@]*$|^[^/]*\/\/[^/@]*\/.*$/, 'expected no user and password in the URL'),
    v.description(accepts),
  )

// what is signed must be sendable: a line break inside a key is a broken Secret, not a key
const key = matching('printable ASCII without blanks', /^[!-~]+$/)

/** The variables that say where bundles go: what each accepts, and its default as text. */
export const DESTINATION_VARIABLES = {
  DESTINATION: v.optional(
    url(
      'a URL such as `s3://bucket/prefix` or `file:/directory`',
      /^(s3:\/\/[^/]|file:\/)\P{Cc}*$/u,
    ),
  ),
  S3_ACCESS_KEY: v.optional(key),
  S3_SECRET: v.optional(key),
  S3_ACCESS_KEY_FILE: v.optional(path),
  S3_SECRET_FILE: v.optional(path),
  S3_BUCKET_NAME: v.optional(matching('the name of a bucket', /^[\w.-]+$/)),
  S3_PREFIX: v.optional(text, ''),
  S3_REGION: v.optional(matching('the name of a region', /^[\w.:/-]+$/)),
  S3_ENDPOINT: v.optional(url('a URL or a host name', /^(https?:\/\/)?[^\s/]+(\/\S*)?$/i)),
  S3_PATH_STYLE: v.optional(bool),
  S3_CA_FILE: v.optional(path),
  S3_SSE: v.optional(
    v.pipe(
      v.picklist(
        ['AES256', 'aws:kms', 'aws:kms:dsse'],
        'expected `AES256`, `aws:kms` or `aws:kms:dsse`',
      ),
      v.description('`AES256`, `aws:kms` or `aws:kms:dsse`'),
    ),
  ),
  S3_KMS_KEY_ID: v.optional(text),
  S3_STORAGE_CLASS: v.optional(text),
  S3_CHECKSUM: v.optional(oneOf('required', 'supported'), 'required'),
  S3_VERIFY: v.optional(oneOf('head', 'response'), 'head'),
  S3_PART_BYTES: v.optional(integer(5 * 2 ** 20, 2 ** 30, ' of bytes')),
  S3_WORKERS: v.optional(integer(1, 64)),
  AWS_WEB_IDENTITY_TOKEN_FILE: v.optional(text),
  AWS_ENDPOINT_URL: v.optional(text),
  AWS_ENDPOINT_URL_S3: v.optional(text),
} as const

export type DestinationVariables = v.InferOutput<
  v.ObjectSchema<typeof DESTINATION_VARIABLES, undefined>
>
