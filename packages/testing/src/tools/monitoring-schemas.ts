import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { parse } from 'yaml'
import { findGo, moduleDir } from './go.ts'
import type { Workshop } from './tool.ts'

const KINDS = ['podmonitors', 'prometheusrules']

interface Schema {
  properties?: Record<string, Schema>
  items?: Schema
  additionalProperties?: unknown
  [key: string]: unknown
}

const SCHEMA: v.GenericSchema<Schema> = v.looseObject({
  properties: v.exactOptional(
    v.record(
      v.string(),
      v.lazy(() => SCHEMA),
    ),
  ),
  items: v.exactOptional(v.lazy(() => SCHEMA)),
})
const DEFINITION = v.object({
  spec: v.object({
    names: v.object({ kind: v.string() }),
    versions: v.array(
      v.object({ name: v.string(), schema: v.object({ openAPIV3Schema: SCHEMA }) }),
    ),
  }),
})

/** Strict JSON schemas for kubeconform of what a chart gives the Prometheus operator. */
export function makeMonitoringSchemas(version: string): (shop: Workshop) => Promise<void> {
  return async (shop) => {
    const module = `github.com/prometheus-operator/prometheus-operator@v${version}`
    const source = await moduleDir(await findGo(shop), module, shop)
    for (const kind of KINDS) {
      const file = `example/prometheus-operator-crd/monitoring.coreos.com_${kind}.yaml`
      const { spec } = v.parse(DEFINITION, parse(await readFile(join(source, file), 'utf8')))
      for (const { name, schema } of spec.versions) {
        const target = `${spec.names.kind.toLowerCase()}-monitoring-${name}.json`
        await writeFile(join(shop.folder, target), JSON.stringify(closed(schema.openAPIV3Schema)))
      }
    }
  }
}

/** The same schema, refusing what it does not name; metadata is Kubernetes' own and left open. */
function closed(schema: Schema): Schema {
  const { properties, items } = schema
  return {
    ...schema,
    ...(items && { items: closed(items) }),
    ...(properties && {
      additionalProperties: false,
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, each]) => [
          name,
          name === 'metadata' ? each : closed(each),
        ]),
      ),
    }),
  }
}
