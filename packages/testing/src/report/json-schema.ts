/** The part of JSON Schema that the schemas of this repository use. */
export interface JsonSchema {
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, JsonSchema>>
  readonly type?: string
  readonly const?: string
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: JsonSchema
  readonly items?: JsonSchema
}

/** Where a value does not fit its schema, in sentences; a field that it does not name does not fit. */
export function schemaErrors(
  schema: JsonSchema,
  value: unknown,
  root = schema,
  at = '$',
): string[] {
  if (schema.$ref !== undefined) {
    const target = root.$defs?.[schema.$ref.replace('#/$defs/', '')]
    return target ? schemaErrors(target, value, root, at) : [`${at}: ${schema.$ref} is not defined`]
  }
  if (schema.const !== undefined && value !== schema.const) return [`${at} is not ${schema.const}`]
  if (schema.enum && !schema.enum.some((known) => known === value))
    return [`${at} is none of ${schema.enum.join()}`]
  switch (schema.type) {
    case 'integer':
      return Number.isInteger(value) ? [] : [`${at} is no integer`]
    case 'string':
      return typeof value === 'string' && new RegExp(schema.pattern ?? '').test(value)
        ? []
        : [`${at} is no string that fits ${schema.pattern}`]
    case 'array':
      if (!Array.isArray(value)) return [`${at} is no array`]
      return value.flatMap((item, index) =>
        schemaErrors(schema.items ?? {}, item, root, `${at}[${index}]`),
      )
    case 'object':
      return objectErrors(schema, value, root, at)
    default:
      return []
  }
}

function objectErrors(schema: JsonSchema, value: unknown, root: JsonSchema, at: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [`${at} is no object`]
  const missing = (schema.required ?? []).filter((key) => !Object.hasOwn(value, key))
  const wrong = Object.entries(value).flatMap(([key, field]) => {
    const known = schema.properties?.[key] ?? schema.additionalProperties
    return known
      ? schemaErrors(known, field, root, `${at}.${key}`)
      : [`${at}.${key} is not in the schema`]
  })
  return [...missing.map((key) => `${at}.${key} is missing`), ...wrong]
}
