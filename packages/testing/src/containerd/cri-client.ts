import { Client, credentials } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import * as v from 'valibot'

const PROTO = new URL('./cri.proto', import.meta.url).pathname
const DEADLINE_MS = 30_000

const SANDBOX = v.object({ podSandboxId: v.string() })
const CONTAINER = v.object({ containerId: v.string() })
const INFO = v.record(v.string(), v.string())
const STATUS = v.object({ state: v.string(), exitCode: v.number(), imageRef: v.string() })

/** Calls of the runtime service that the tests use, and the shapes of their responses by `cri.proto`. */
const RESPONSES = {
  Version: v.object({ runtimeVersion: v.string() }),
  RunPodSandbox: SANDBOX,
  StopPodSandbox: v.object({}),
  RemovePodSandbox: v.object({}),
  PodSandboxStatus: v.object({ info: INFO }),
  CreateContainer: CONTAINER,
  StartContainer: v.object({}),
  ContainerStatus: v.object({ status: STATUS, info: INFO }),
  ExecSync: v.object({ exitCode: v.number() }),
}
type Responses = typeof RESPONSES

/** A CRI client that shares nothing with the product's: grpc-js, and a definition of its own. */
export class CriClient {
  readonly #client: Client
  readonly #service = loadSync(PROTO, { longs: String, enums: String, defaults: true })[
    'runtime.v1.RuntimeService'
  ]

  constructor(socket: string) {
    this.#client = new Client(`unix://${socket}`, credentials.createInsecure(), {
      'grpc.initial_reconnect_backoff_ms': 20,
      'grpc.max_reconnect_backoff_ms': 100,
    })
  }

  /** Call `method` with a request of the shape of `cri.proto`. */
  async call<M extends keyof Responses>(
    method: M,
    request: object = {},
  ): Promise<v.InferOutput<Responses[M]>> {
    const definition = Object.entries(this.#service ?? {}).find(([name]) => name === method)?.[1]
    if (definition === undefined) throw new Error(`cri.proto has no ${method}`)
    const response = await new Promise<unknown>((resolve, reject) =>
      this.#client.makeUnaryRequest(
        definition.path,
        definition.requestSerialize,
        definition.responseDeserialize,
        request,
        { deadline: Date.now() + DEADLINE_MS },
        (error, value) =>
          error ? reject(new Error(`${method}: ${error.message}`)) : resolve(value),
      ),
    )
    return v.parse(RESPONSES[method], response)
  }

  close(): void {
    this.#client.close()
  }
}
