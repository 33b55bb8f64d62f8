import type { JsonObject } from '../json.ts'

/**
 * A container runtime, asked by gRPC or through crictl. Answers have the shape of crictl's JSON
 * (protobuf's JSON names, int64 as strings, enums by name), without the values of environment
 * variables. Every call ends within the call limit; all of them reject with a `CriError`, with
 * `CRI_NOT_FOUND` for what the runtime does not know.
 */
export interface Runtime {
  readonly client: 'grpc' | 'crictl'
  /** `unix:///run/containerd/containerd.sock`, or the crictl that is run. */
  readonly endpoint: string
  /** As `crictl inspect <id>`. */
  containerStatus(id: string, options?: CallOptions): Promise<Inspection>
  /** As `crictl inspectp <id>`. */
  podSandboxStatus(id: string, options?: CallOptions): Promise<Inspection>
  /** An item of `crictl images -o json`: the image with this id, digest or name. */
  imageStatus(ref: string, options?: CallOptions): Promise<JsonObject>
  /** As `crictl ps -o json -p <id>`, which lists running containers only: `{ containers: [] }`. */
  listContainers(podSandboxId: string, options?: CallOptions): Promise<JsonObject>
  /** As `crictl pods --name <name> -o json`, but by exact name, newest first: `{ items: [] }`. */
  listPodSandboxes(filter: { readonly name?: string }, options?: CallOptions): Promise<JsonObject>
  /**
   * The last lines of a container's log, where the client can ask for it: CRI has no such call,
   * crictl reads the file by itself. Undefined elsewhere: read the file at `status.logPath`.
   */
  containerLog(id: string, lines: number, options?: CallOptions): Promise<Buffer | undefined>
  /** End what is under way and let go of the connection; no process is left behind. */
  close(): void
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** What `crictl inspect` and `crictl inspectp` print. */
export interface Inspection {
  readonly status: JsonObject
  readonly info: JsonObject
}
