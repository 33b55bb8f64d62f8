import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { findGo, moduleDir } from './go.ts'
import type { Workshop } from './tool.ts'

const KINDS = ['podmonitors', 'prometheusrules']

interface Definition {
  readonly spec: {
    readonly names: { readonly kind: string }
    readonly versions: readonly {
      readonly name: string
      readonly schema: { readonly openAPIV3Schema: Schema }
    }[]
  }
}

interface Schema {
  properties?: Record<string, Schema>
  items?: Schema
  additionalProperties?: unknown
  [key: string]: unknown
}

/** Strict JSON schemas for kubeconform of what a chart gives the Prometheus operator. */
export function makeMonitoringSchemas(version: string): (shop: Workshop) => Promise<void> {
  return async (shop) => {
    const module = `github.com/prometheus-operator/prometheus-operator@v${version}`
    const source = await moduleDir(await findGo(shop), module, shop)
    for (const kind of KINDS) {
      const file = `example/prometheus-operator-crd/monitoring.coreos.com_${kind}.yaml`
      const { spec } = parse(await readFile(join(source, file), 'utf8')) as Definition
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
