import type { Value } from './read-values.ts'

type Schema = Record<string, unknown>

/**
 * JSON schema of the values: strict in every group and at the root, where `global` and `x-*`
 * are open for others. Nothing is required: each value has a default.
 */
export function buildSchema(values: readonly Value[]): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Values of the chart core-dump-handler',
    ...group(values),
    patternProperties: { '^x-': {} },
  }
}

function group(values: readonly Value[]): Schema {
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(values.map((value) => [value.path.at(-1), schemaOf(value)])),
  }
}

function schemaOf({ description, schema, defaultValue, children }: Value): Schema {
  if (children) return { ...(description && { description }), ...group(children) }
  return {
    ...(description && { description }),
    ...typeOf(defaultValue, schema),
    ...schema,
    default: defaultValue,
  }
}

function typeOf(value: unknown, { type, enum: allowed }: Schema): Schema {
  if (type !== undefined || Array.isArray(allowed)) return {}
  if (Array.isArray(value)) return { type: 'array' }
  if (typeof value === 'number') return { type: Number.isInteger(value) ? 'integer' : 'number' }
  return { type: value === null ? 'null' : typeof value }
}
