import * as v from 'valibot'
import { parseAllDocuments } from 'yaml'
import { LEAST, render, type RenderOptions } from '../scripts/helm.ts'

const TEXTS = v.optional(v.record(v.string(), v.string()))
const METADATA = v.looseObject({
  name: v.string(),
  namespace: v.optional(v.string()),
  labels: TEXTS,
  annotations: TEXTS,
})
const OBJECT = v.looseObject({ apiVersion: v.string(), kind: v.string(), metadata: METADATA })
export type KubernetesObject = v.InferOutput<typeof OBJECT>

const CONTAINER = v.looseObject({
  name: v.string(),
  image: v.string(),
  env: v.nullish(
    v.array(
      v.object({
        name: v.string(),
        value: v.nullish(v.string()),
        valueFrom: v.optional(v.unknown()),
      }),
    ),
    [],
  ),
  volumeMounts: v.array(v.looseObject({ name: v.string(), mountPath: v.string() })),
  securityContext: v.record(v.string(), v.unknown()),
})
export type Container = v.InferOutput<typeof CONTAINER>

const VOLUME = v.looseObject({
  name: v.string(),
  hostPath: v.optional(v.looseObject({ path: v.string() })),
})
const POD = v.looseObject({
  metadata: v.omit(METADATA, ['name']),
  spec: v.looseObject({ containers: v.array(CONTAINER), volumes: v.array(VOLUME) }),
})
const DAEMONSET = v.looseObject({ spec: v.looseObject({ template: POD }) })

export async function objects(options?: RenderOptions): Promise<KubernetesObject[]> {
  return parseObjects(await render(options))
}

export function parseObjects(text: string): KubernetesObject[] {
  return parseAllDocuments(text)
    .map((document): unknown => document.toJS())
    .filter((object) => object !== null)
    .map((object) => v.parse(OBJECT, object))
}

/** Pod of the DaemonSet with values of one's own beside the least. */
export async function podSpec(set: readonly string[] = [], files: readonly string[] = []) {
  const all = await objects({ set: [...LEAST, ...set], files })
  const daemonset = all.find(({ kind }) => kind === 'DaemonSet')
  return v.parse(DAEMONSET, daemonset).spec.template
}

/** Variables of the agent; those from elsewhere as JSON of their source. */
export function environment({ env }: Container): Record<string, string | undefined> {
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [
      name,
      valueFrom ? JSON.stringify(valueFrom) : (value ?? undefined),
    ]),
  )
}

export async function agentEnvironment(set: readonly string[] = [], files: readonly string[] = []) {
  const { spec } = await podSpec(set, files)
  return environment(spec.containers[0]!)
}
