import { credentials, loadPackageDefinition, type Client, type ServiceError } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

const PROTO = new URL('./cri.proto', import.meta.url).pathname

/** Calls of the runtime service that the tests use, with the shapes of `cri.proto`. */
export interface RuntimeCalls {
  Version(): Promise<{ runtimeVersion: string }>
  RunPodSandbox(request: object): Promise<{ podSandboxId: string }>
  StopPodSandbox(request: { podSandboxId: string }): Promise<object>
  RemovePodSandbox(request: { podSandboxId: string }): Promise<object>
  PodSandboxStatus(request: { podSandboxId: string; verbose?: boolean }): Promise<{
    info: Record<string, string>
  }>
  CreateContainer(request: object): Promise<{ containerId: string }>
  StartContainer(request: { containerId: string }): Promise<object>
  ContainerStatus(request: { containerId: string; verbose?: boolean }): Promise<{
    status: { state: string; exitCode: number; imageRef: string }
    info: Record<string, string>
  }>
  ExecSync(request: { containerId: string; cmd: readonly string[] }): Promise<{ exitCode: number }>
}

/** A CRI client that shares nothing with the product's: grpc-js, and a definition of its own. */
export class CriClient {
  readonly calls: RuntimeCalls
  readonly #client: Client

  constructor(socket: string) {
    const definition = loadPackageDefinition(
      loadSync(PROTO, { longs: String, enums: String, defaults: true }),
    )
    const { RuntimeService } = (definition as any).runtime.v1
    const client = new RuntimeService(`unix://${socket}`, credentials.createInsecure(), {
      'grpc.initial_reconnect_backoff_ms': 20,
      'grpc.max_reconnect_backoff_ms': 100,
    })
    this.#client = client
    const call =
      (method: string) =>
      (request: object = {}): Promise<unknown> =>
        new Promise((resolve, reject) =>
          client[method](
            request,
            { deadline: Date.now() + 30_000 },
            (error: ServiceError | null, answer: unknown) =>
              error ? reject(new Error(`${method}: ${error.message}`)) : resolve(answer),
          ),
        )
    this.calls = new Proxy({} as RuntimeCalls, { get: (_, method) => call(String(method)) })
  }

  close(): void {
    this.#client.close()
  }
}
