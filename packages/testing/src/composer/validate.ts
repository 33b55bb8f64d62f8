/** The part of JSON Schema that ours uses: not worth a dependency. */
interface Schema {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minimum?: number
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
}

/** What is wrong with `value`; properties the schema does not name are wrong too. */
export function violations(schema: Schema, value: unknown, at = '$'): string[] {
  const wrong: string[] = []
  const check = (ok: boolean, what: string): void => void (ok || wrong.push(`${at}: ${what}`))
  if (schema.const !== undefined)
    check(value === schema.const, `is not ${JSON.stringify(schema.const)}`)
  if (schema.enum) check(schema.enum.includes(value), `is none of ${schema.enum.join(', ')}`)
  if (schema.type === 'integer') check(Number.isSafeInteger(value), 'is no integer')
  else if (schema.type === 'array') check(Array.isArray(value), 'is no array')
  else if (schema.type)
    check(typeof value === schema.type && value !== null, `is no ${schema.type}`)
  if (schema.minimum !== undefined) check(Number(value) >= schema.minimum, 'is too small')
  if (schema.pattern) check(new RegExp(schema.pattern, 'u').test(String(value)), 'has another form')
  for (const item of Array.isArray(value) ? value : []) {
    wrong.push(...violations(schema.items ?? {}, item, `${at}[]`))
  }
  if (schema.properties && typeof value === 'object' && value !== null) {
    for (const key of schema.required ?? []) check(key in value, `lacks \`${key}\``)
    for (const [key, field] of Object.entries(value)) {
      const inner = schema.properties[key]
      if (inner) wrong.push(...violations(inner, field, `${at}.${key}`))
      else check(false, `has \`${key}\`, which the schema does not name`)
    }
  }
  return wrong
}
