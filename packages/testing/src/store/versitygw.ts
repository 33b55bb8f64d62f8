import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { findTool } from '../tools/find-tool.ts'
import { startLocalStore } from './local-store.ts'
import { BUCKET, type ObjectStore } from './object-store.ts'
import { startProgram, type Program } from '../program.ts'

const ACCESS_KEY = 'AKTEST'

/** A running versitygw. */
export interface Versitygw extends ObjectStore {
  /** Its bucket as a folder: objects are plain files. */
  readonly folder: string
  /** End it as a power cut does; `up()` starts it again. */
  kill(): Promise<void>
}

/** versitygw on a scratch directory: S3 that verifies secret, clock and every body; with `further` options. */
export async function startVersitygw(further: readonly string[] = []): Promise<Versitygw> {
  const program = await findTool('versitygw')
  let folder = ''
  let server: Program | undefined
  const store = await startLocalStore({
    name: 'versitygw',
    accessKey: ACCESS_KEY,
    stopMs: 2_000,
    launch(directory, port, secret) {
      const data = join(directory, 'data')
      const iam = join(directory, 'iam')
      for (const each of [data, iam]) mkdirSync(each, { recursive: true })
      const options = ['-q', '-p', `127.0.0.1:${port}`, '-a', ACCESS_KEY, '-s', secret]
      const args = [...options, ...further, '--health', '/health', '--iam-dir', iam, 'posix', data]
      folder = join(data, BUCKET)
      server = startProgram(program, args, { log: join(directory, 'log') })
      return server
    },
    answers: async (_, endpoint) => (await fetch(`${endpoint}/health`)).ok,
  })
  return { ...store, folder, kill: async () => void (await server?.stop('SIGKILL')) }
}
