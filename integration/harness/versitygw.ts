import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { findTool } from '../../scripts/tools/index.ts'
import { BUCKET, storeClient, type ObjectStore } from './object-store.ts'
import { freePorts } from './ports.ts'
import { startProgram, type Program } from './program.ts'
import { removeScratch, scratchDirectory } from './scratch.ts'
import { until } from './until.ts'

/** versitygw on a scratch directory: S3 that verifies secret, clock and every body. */
export async function startVersitygw(): Promise<ObjectStore> {
  const program = await findTool('versitygw')
  const directory = scratchDirectory()
  for (const name of ['data', 'iam']) mkdirSync(join(directory, name))
  const port = await freePorts()
  const account = {
    endpoint: `http://127.0.0.1:${port}`,
    accessKey: 'AKTEST',
    secret: 'secret-of-the-tests',
  }
  const client = storeClient(account)
  let server: Program | undefined

  const down = async (): Promise<void> => void (await server?.stop('SIGTERM', 2_000))
  const up = async (): Promise<void> => {
    const options = ['-q', '-p', `127.0.0.1:${port}`, '-a', account.accessKey, '-s', account.secret]
    server = startProgram(
      program,
      [
        ...options,
        '--health',
        '/health',
        '--iam-dir',
        join(directory, 'iam'),
        'posix',
        join(directory, 'data'),
      ],
      { log: join(directory, 'log') },
    )
    await until('versitygw answers', async () => (await fetch(`${account.endpoint}/health`)).ok)
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
