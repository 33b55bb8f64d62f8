import type { Log } from '../log/open-log.ts'
import { type ApiServer, callApiServer } from './api-server.ts'

/** Longest message of an Event, a limit of the API. */
export const MAX_MESSAGE = 1024

/** Creates an Event; what fails is logged and costs only this Event. */
export async function createEvent(
  server: ApiServer,
  namespace: string,
  event: object,
  log: Log,
): Promise<void> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`
  try {
    const { status } = await callApiServer(server, { method: 'POST', path, body: event })
    // 409: created already, before a restart
    if (status < 300 || status === 409) return
    log.warn({ namespace, status }, 'the API server refused an Event')
  } catch (err) {
    log.warn({ namespace, err }, 'cannot create an Event')
  }
}

/** `metav1.Time` has no fraction of a second. */
export const seconds = (time: string): string => time.replace(/\.\d+/, '')
