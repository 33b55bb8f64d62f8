import { join } from 'node:path'
import { startLocalStore } from './local-store.ts'
import type { ObjectStore } from './object-store.ts'
import { startProgram } from '../program.ts'

const LAUNCHER = new URL('./swift-all-in-one.py', import.meta.url).pathname
const ACCESS_KEY = 'test:tester'

/** OpenStack Swift with its S3 API on a scratch directory: an independent implementation. */
export function startSwift(): Promise<ObjectStore> {
  return startLocalStore({
    name: 'swift',
    accessKey: ACCESS_KEY,
    ports: 4,
    startMs: 60_000,
    stopMs: 5_000,
    launch(directory, port, secret) {
      const args = [LAUNCHER, join(directory, 'swift'), String(port), ACCESS_KEY, secret]
      // Debian's own python, for which python3-swift is made
      return startProgram('/usr/bin/python3', args, { log: join(directory, 'log') })
    },
    answers: (server) => server.output().includes('swift is ready'),
  })
}
