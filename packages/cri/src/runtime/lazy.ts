import type { Runtime } from './runtime.ts'

/** A runtime whose client is loaded by its first question, so that it costs nothing until then. */
export function lazy(
  { client, endpoint }: Pick<Runtime, 'client' | 'endpoint'>,
  load: () => Promise<Runtime>,
): Runtime {
  let loading: Promise<Runtime> | undefined
  let closed = false
  const runtime = async (): Promise<Runtime> => {
    const loaded = await (loading ??= load())
    if (closed) loaded.close()
    return loaded
  }
  return {
    client,
    endpoint,
    containerStatus: async (...args) => (await runtime()).containerStatus(...args),
    podSandboxStatus: async (...args) => (await runtime()).podSandboxStatus(...args),
    imageStatus: async (...args) => (await runtime()).imageStatus(...args),
    listContainers: async (...args) => (await runtime()).listContainers(...args),
    listPodSandboxes: async (...args) => (await runtime()).listPodSandboxes(...args),
    containerLog: async (...args) => (await runtime()).containerLog?.(...args),
    close: () => {
      closed = true
      // a client that could not be loaded has nothing to close
      loading?.then(
        (loaded) => loaded.close(),
        () => {},
      )
    },
  }
}
