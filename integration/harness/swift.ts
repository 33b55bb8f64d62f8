import { join } from 'node:path'
import { BUCKET, storeClient, type ObjectStore } from './object-store.ts'
import { freePorts } from './ports.ts'
import { startProgram, type Program } from './program.ts'
import { removeScratch, scratchDirectory } from './scratch.ts'
import { until } from './until.ts'

const LAUNCHER = new URL('./swift-all-in-one.py', import.meta.url).pathname

/** OpenStack Swift with its S3 API on a scratch directory: another code base, other opinions. */
export async function startSwift(): Promise<ObjectStore> {
  const directory = scratchDirectory()
  const port = await freePorts(4)
  const account = {
    endpoint: `http://127.0.0.1:${port}`,
    accessKey: 'test:tester',
    secret: 'secret-of-the-tests',
  }
  const client = storeClient(account)
  let server: Program | undefined

  const down = async (): Promise<void> => void (await server?.stop('SIGTERM', 5_000))
  const up = async (): Promise<void> => {
    // Debian's own python, for which python3-swift is made
    server = startProgram(
      '/usr/bin/python3',
      [LAUNCHER, join(directory, 'swift'), String(port), account.accessKey, account.secret],
      { log: join(directory, 'log') },
    )
    await until('swift answers', () => server?.output().includes('swift is ready'), 60_000)
  }

  await up()
  await client.createBucket()
  return {
    ...account,
    ...client,
    bucket: BUCKET,
    down,
    up,
    async stop() {
      await down()
      removeScratch(directory)
    },
  }
}
