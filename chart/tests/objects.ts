import { parseAllDocuments } from 'yaml'
import { LEAST, render, type RenderOptions } from '../scripts/helm.ts'

export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Record<string, string>
    readonly annotations?: Record<string, string>
  }
  readonly [field: string]: unknown
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly env: readonly { name: string; value?: string; valueFrom?: unknown }[]
  readonly volumeMounts: readonly { name: string; mountPath: string }[]
  readonly securityContext: Record<string, unknown>
  readonly [field: string]: unknown
}

export interface PodSpec {
  readonly containers: readonly Container[]
  readonly volumes: readonly { name: string; hostPath?: { path: string } }[]
  readonly [field: string]: unknown
}

export async function objects(options?: RenderOptions): Promise<KubernetesObject[]> {
  return parseObjects(await render(options))
}

export function parseObjects(text: string): KubernetesObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null)
}

/** Pod of the DaemonSet with values of one's own beside the least. */
export async function podSpec(set: readonly string[] = [], files: readonly string[] = []) {
  const all = await objects({ set: [...LEAST, ...set], files })
  const daemonset = all.find(({ kind }) => kind === 'DaemonSet') as unknown as {
    spec: { template: { metadata: KubernetesObject['metadata']; spec: PodSpec } }
  }
  return daemonset.spec.template
}

/** Variables of the agent; those from elsewhere as JSON of their source. */
export function environment({ env }: Container): Record<string, string | undefined> {
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [name, valueFrom ? JSON.stringify(valueFrom) : value]),
  )
}

export async function agentEnvironment(set: readonly string[] = [], files: readonly string[] = []) {
  const { spec } = await podSpec(set, files)
  return environment(spec.containers[0]!)
}
