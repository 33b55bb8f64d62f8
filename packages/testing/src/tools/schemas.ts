import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { findGo, moduleDir } from './go.ts'
import type { Workshop } from './tool.ts'

interface Schema {
  $ref?: string
  type?: string | string[]
  enum?: unknown[]
  const?: string
  oneOf?: Schema[]
  required?: string[]
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  definitions?: Record<string, Schema>
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[]
}

const KIND = v.object({ group: v.string(), version: v.string(), kind: v.string() })
const SCHEMA: v.GenericSchema<Schema> = v.looseObject({
  type: v.exactOptional(v.union([v.string(), v.array(v.string())])),
  enum: v.exactOptional(v.array(v.unknown())),
  required: v.exactOptional(v.array(v.string())),
  properties: v.exactOptional(
    v.record(
      v.string(),
      v.lazy(() => SCHEMA),
    ),
  ),
  'x-kubernetes-group-version-kind': v.exactOptional(v.array(KIND)),
})
const OPENAPI = v.object({ definitions: v.record(v.string(), SCHEMA) })
const REF = '#/definitions/'

/**
 * Strict JSON schemas for kubeconform from the OpenAPI document in the Kubernetes module:
 * `kubeconform -strict -schema-location '<folder>/{{.ResourceKind}}{{.KindSuffix}}.json'`.
 */
export function makeSchemas(version: string): (shop: Workshop) => Promise<void> {
  return async (shop) => {
    const source = await moduleDir(await findGo(shop), `k8s.io/kubernetes@v${version}`, shop)
    await writeSchemas(source, shop.folder)
  }
}

async function writeSchemas(source: string, folder: string): Promise<void> {
  const swagger = await readFile(join(source, 'api/openapi-spec/swagger.json'), 'utf8')
  const { definitions } = v.parse(OPENAPI, JSON.parse(swagger))
  for (const [name, definition] of Object.entries(definitions)) {
    definitions[name] = strict(name, definition)
  }
  for (const [name, definition] of Object.entries(definitions)) {
    const kinds = definition['x-kubernetes-group-version-kind'] ?? []
    // DeleteOptions and its like belong to every group: not something a chart renders
    if (!definition.properties?.['kind'] || kinds.length !== 1) continue
    const { group, version, kind } = kinds[0]!
    const suffix = group ? `-${group.split('.')[0]}` : ''
    const schema = standAlone(name, definitions, group ? `${group}/${version}` : version, kind)
    await writeFile(
      join(folder, `${kind.toLowerCase()}${suffix}-${version}.json`),
      JSON.stringify(schema),
    )
  }
}

function strict(name: string, schema: Schema): Schema {
  if (name.endsWith('.IntOrString')) return { oneOf: [{ type: 'string' }, { type: 'integer' }] }
  if (name.endsWith('.Quantity')) return { oneOf: [{ type: 'string' }, { type: 'number' }] }
  if (!schema.properties) return schema
  for (const [key, property] of Object.entries(schema.properties)) {
    const optional = !schema.required?.includes(key)
    // the API server takes null for whatever may be left out
    if (optional && typeof property.type === 'string' && !property.enum) {
      property.type = [property.type, 'null']
    }
  }
  return { ...schema, additionalProperties: false }
}

/** One kind with everything it refers to, its apiVersion and kind fixed. */
function standAlone(
  name: string,
  all: Record<string, Schema>,
  apiVersion: string,
  kind: string,
): Schema {
  const schema = structuredClone(all[name]!)
  schema.properties!['apiVersion'] = { type: 'string', const: apiVersion }
  schema.properties!['kind'] = { type: 'string', const: kind }
  schema.required = [...new Set([...(schema.required ?? []), 'apiVersion', 'kind'])]
  const needed = new Set<string>()
  collectReferences(schema, all, needed)
  schema.definitions = Object.fromEntries([...needed].map((each) => [each, all[each]!]))
  return schema
}

function collectReferences(node: unknown, all: Record<string, Schema>, needed: Set<string>): void {
  if (typeof node !== 'object' || node === null) return
  for (const [key, value] of Object.entries(node)) {
    if (key !== '$ref' || typeof value !== 'string') {
      collectReferences(value, all, needed)
      continue
    }
    const name = value.slice(REF.length)
    if (needed.has(name)) continue
    needed.add(name)
    collectReferences(all[name], all, needed)
  }
}
