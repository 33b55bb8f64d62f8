import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'

/** Service addresses lie on loopback, where there is no need for a kube-proxy: see `Cluster`. */
export const SERVICE_RANGE = '127.96.0.0/16'
export const API_SERVICE_ADDRESS = '127.96.0.1'

/** Lets pods of the host network reach the API server where `kubernetes.default` says it is. */
export async function serveApiAddress(port: number): Promise<Server> {
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    client.pipe(upstream).pipe(client)
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy())
    }
  })
  server.listen(443, API_SERVICE_ADDRESS)
  await once(server, 'listening')
  return server
}
