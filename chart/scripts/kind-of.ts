import type { Value } from './read-values.ts'

/** `text`: only a string is meant; `textMap`: a map of strings. YAML makes numbers and booleans of both. */
export function kindOf({ schema, defaultValue }: Value): 'text' | 'textMap' | undefined {
  const types = [schema['type'] ?? typeof defaultValue].flat()
  if (types.every((type) => type === 'string' || type === 'null')) {
    return schema['enum'] === undefined ? 'text' : undefined
  }
  const { additionalProperties: each } = schema
  const isTextMap = typeof each === 'object' && each !== null && 'type' in each
  return isTextMap && each.type === 'string' ? 'textMap' : undefined
}
