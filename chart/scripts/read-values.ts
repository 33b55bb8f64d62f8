import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { isMap, isNode, isScalar, parse, parseDocument, type Pair, type YAMLMap } from 'yaml'

/** One key of values.yaml with what its comments say. */
export interface Value {
  readonly path: readonly string[]
  /** Text of the `# --` line. */
  readonly description: string | undefined
  /** The `# @schema` line: what narrows or replaces the type of the default. */
  readonly schema: Readonly<Record<string, unknown>>
  readonly defaultValue: unknown
  /** Below a `Compatibility:` line: accepted, without effect. */
  readonly isCompatibility: boolean
  /** Keys of a group; absent where the value is one whole, such as a list or a free map. */
  readonly children?: readonly Value[]
}

const MAP = v.record(v.string(), v.unknown())

export const VALUES_FILE: string = new URL('../values.yaml', import.meta.url).pathname

/** The annotated values, in the order of the file. */
export function readValues(file: string = VALUES_FILE): Value[] {
  const document = parseDocument(readFileSync(file, 'utf8'))
  if (!isMap(document.contents)) throw new TypeError(`\`${file}\` holds no map of values`)
  return fromMap(document.contents, [])
}

function fromMap(map: YAMLMap, parents: readonly string[]): Value[] {
  let isCompatibility = false
  return map.items.map((pair, index) => {
    // the parser gives the comment above the first key to the map itself
    const above = index === 0 ? (map.commentBefore ?? '') : ''
    const comment = `${above}\n${commentAbove(pair)}`
    isCompatibility ||= index > 0 && /^ ?Compatibility:/m.test(comment)
    return fromPair(pair, comment, parents, isCompatibility)
  })
}

function fromPair(
  pair: Pair,
  comment: string,
  parents: readonly string[],
  isCompatibility: boolean,
): Value {
  const path = [...parents, String(isScalar(pair.key) ? pair.key.value : pair.key)]
  const schema = annotation(comment, path)
  const { value } = pair
  const isGroup = isMap(value) && value.items.length > 0 && !('additionalProperties' in schema)
  return {
    path,
    description: /^ ?-- (.+)$/m.exec(comment)?.[1]?.trim(),
    schema,
    isCompatibility,
    defaultValue: isNode(value) ? value.toJSON() : value,
    ...(isGroup && { children: fromMap(value, path) }),
  }
}

function commentAbove({ key }: Pair): string {
  return isScalar(key) ? (key.commentBefore ?? '') : ''
}

function annotation(comment: string, path: readonly string[]): Record<string, unknown> {
  const text = /^ ?@schema (.+)$/m.exec(comment)?.[1]
  if (text === undefined) return {}
  const result = v.safeParse(MAP, parse(text))
  if (result.success) return result.output
  throw new TypeError(`The @schema line of \`${path.join('.')}\` is no map: ${text}`)
}
