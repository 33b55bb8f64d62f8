import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { findTool } from '../tools/find-tool.ts'
import { startLocalStore } from './local-store.ts'
import type { ObjectStore } from './object-store.ts'
import { startProgram } from '../program.ts'

const ACCESS_KEY = 'AKTEST'

/** versitygw on a scratch directory: S3 that verifies secret, clock and every body; with `further` options. */
export async function startVersitygw(further: readonly string[] = []): Promise<ObjectStore> {
  const program = await findTool('versitygw')
  return startLocalStore({
    name: 'versitygw',
    accessKey: ACCESS_KEY,
    stopMs: 2_000,
    launch(directory, port, secret) {
      const data = join(directory, 'data')
      const iam = join(directory, 'iam')
      for (const each of [data, iam]) mkdirSync(each, { recursive: true })
      const options = ['-q', '-p', `127.0.0.1:${port}`, '-a', ACCESS_KEY, '-s', secret]
      const args = [...options, ...further, '--health', '/health', '--iam-dir', iam, 'posix', data]
      return startProgram(program, args, { log: join(directory, 'log') })
    },
    answers: async (_, endpoint) => (await fetch(`${endpoint}/health`)).ok,
  })
}
