import { BUCKET, storeClient, type ObjectStore } from './object-store.ts'
import { freePorts } from '../network/free-ports.ts'
import type { Program } from '../program.ts'
import { removeScratch, scratchDirectory } from '../scratch-directory.ts'
import { until } from '../until.ts'

/** A program that serves S3 and can be restarted on its stored objects. */
export interface StoreProgram {
  readonly name: string
  readonly accessKey: string
  /** How many ports it needs, one after the other; the first is S3. @default 1 */
  readonly ports?: number
  /** How long it may take to answer. @default 20000 */
  readonly startMs?: number
  /** How long it may take to end. */
  readonly stopMs: number
  launch(directory: string, port: number, secret: string): Program
  answers(server: Program, endpoint: string): Promise<boolean> | boolean
}

/** Start it on a scratch directory, with one bucket. */
export async function startLocalStore(program: StoreProgram): Promise<ObjectStore> {
  const { name, accessKey, ports, startMs, stopMs } = program
  const directory = scratchDirectory()
  const port = await freePorts(ports)
  const account = {
    endpoint: `http://127.0.0.1:${port}`,
    accessKey,
    secret: 'secret-of-the-tests',
  }
  const client = storeClient(account)
  let server: Program | undefined

  const down = async (): Promise<void> => void (await server?.stop('SIGTERM', stopMs))
  const up = async (): Promise<void> => {
    const started = program.launch(directory, port, account.secret)
    server = started
    await until(`${name} answers`, () => program.answers(started, account.endpoint), startMs)
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
