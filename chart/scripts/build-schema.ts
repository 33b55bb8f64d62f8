import { kindOf } from './kind-of.ts'
import type { Value } from './read-values.ts'

type Schema = Record<string, unknown>

/** What a template refuses with a sentence, where the schema would only name the type. */
const SCALAR = ['string', 'number', 'boolean', 'null']

/**
 * JSON schema of the values: strict in every group and at the root, where `global` and `x-*`
 * are open for others. Nothing is required, and everything may be null: each value has a default.
 */
export function buildSchema(values: readonly Value[]): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Values of the chart core-dump-handler',
    ...group(values, 'object'),
    patternProperties: { '^x-': {} },
  }
}

function group(values: readonly Value[], type: string | readonly string[]): Schema {
  return {
    type,
    additionalProperties: false,
    properties: Object.fromEntries(values.map((value) => [value.path.at(-1), schemaOf(value)])),
  }
}

function schemaOf(value: Value): Schema {
  const { description, schema, defaultValue, children } = value
  const about = description && { description }
  if (children) return { ...about, ...group(children, ['object', 'null']) }
  return { ...about, ...schema, ...typeOf(value), default: defaultValue }
}

function typeOf(value: Value): Schema {
  const { schema, defaultValue } = value
  const kind = kindOf(value)
  if (kind === 'text') return { type: SCALAR }
  if (kind === 'textMap') {
    return { type: ['object', 'null'], additionalProperties: { type: SCALAR } }
  }
  if (Array.isArray(schema['enum'])) return { enum: [...schema['enum'], null] }
  const types = [schema['type'] ?? typeName(defaultValue)].flat()
  return { type: types.includes('null') ? types : [...types, 'null'] }
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return value === null ? 'null' : typeof value
}
