import type { JsonObject } from '../json.ts'

/**
 * A container runtime, called by gRPC or through crictl. Answers have the shape of crictl's JSON
 * (protobuf's JSON names, int64 as strings, enums by name), without the values of environment
 * variables. Every call ends within its limit and rejects with a `CriError`, whose code is
 * `CRI_NOT_FOUND` for what the runtime does not know.
 */
export interface Runtime {
  readonly client: 'grpc' | 'crictl'
  /** `unix:///run/containerd/containerd.sock`, or the path of crictl. */
  readonly endpoint: string
  /** As `crictl inspect <id>`. */
  containerStatus(id: string, options?: CallOptions): Promise<Inspection>
  /** As `crictl inspectp <id>`. */
  podSandboxStatus(id: string, options?: CallOptions): Promise<Inspection>
  /** An item of `crictl images -o json`: the image with this id, digest or name. */
  imageStatus(ref: string, options?: CallOptions): Promise<JsonObject>
  /** As `crictl ps -o json -p <id>`, which lists running containers only, newest first: `{ containers: [] }`. */
  listContainers(podSandboxId: string, options?: CallOptions): Promise<JsonObject>
  /** As `crictl pods -o json`, newest first: `{ items: [] }`. */
  listPodSandboxes(filter: PodFilter, options?: CallOptions): Promise<JsonObject>
  /**
   * The last lines of a container's log, from a client that offers it: crictl reads the file itself.
   * Undefined from others, since CRI has no such call: read the file at `status.logPath`.
   */
  containerLog(id: string, lines: number, options?: CallOptions): Promise<Buffer | undefined>
  /** End the calls in progress, close the connection and kill every crictl. */
  close(): void
}

export interface PodFilter {
  /** The exact name of the pod. */
  readonly name?: string
  readonly uid?: string
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** What `crictl inspect` and `crictl inspectp` print. */
export interface Inspection {
  readonly status: JsonObject
  readonly info: JsonObject
}
