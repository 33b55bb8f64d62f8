import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe } from 'vitest'
import { type Destination, openDestination, type S3Options } from '../index.ts'
import { FaultProxy } from './fault-proxy.ts'
import { MIB, scratch } from './files.ts'
import { CREDENTIALS, Versitygw, findVersitygw } from './versitygw.ts'

const program = findVersitygw()

/** What a test against the real server works with. */
export interface World extends AsyncDisposable {
  readonly server: Versitygw
  readonly proxy: FaultProxy
  /** A directory of its own. */
  readonly dir: string
  /** A prefix of its own below `bucket`, and the folder that has its objects. */
  readonly prefix: string
  readonly objects: string
  /** The destination behind the proxy. */
  readonly store: Destination
  readonly url: string
  readonly s3: S3Options
  open(options?: S3Options): Destination
  /** Another content under a key of the prefix, by the back door. */
  occupy(key: string, content: string | Buffer): Promise<void>
  /** Keys of multipart uploads that are under way, of the prefix. */
  uploads(): Promise<string[]>
}

/** Tests against a real S3 server; where it is not there they are skipped, and say why. */
export function describeS3(name: string, tests: (world: () => Promise<World>) => void): void {
  const why = program === undefined ? ' (skipped: versitygw is not there, set VERSITYGW)' : ''
  describe.skipIf(program === undefined)(name + why, () => {
    let server: Versitygw
    let count = 0
    beforeAll(async () => {
      server = await Versitygw.start(program ?? '')
    })
    afterAll(() => server[Symbol.asyncDispose]())
    tests(() => makeWorld(server, `t${++count}`))
  })
}

async function makeWorld(server: Versitygw, prefix: string): Promise<World> {
  const tmp = await scratch()
  const proxy = await FaultProxy.start(server.url)
  const s3: S3Options = {
    endpoint: proxy.url,
    region: 'us-east-1',
    credentials: CREDENTIALS,
    partBytes: 5 * MIB,
    idleTimeoutMs: 1000,
  }
  const url = `s3://bucket/${prefix}`
  const opened: Destination[] = []
  const open = (options: S3Options = {}): Destination => {
    const destination = openDestination(url, { s3: { ...s3, ...options } })
    opened.push(destination)
    return destination
  }
  const objects = join(server.bucket, prefix)
  return {
    server,
    proxy,
    dir: tmp.dir,
    prefix,
    objects,
    url,
    s3,
    open,
    store: open(),
    async occupy(key, content) {
      await mkdir(objects, { recursive: true })
      await writeFile(join(objects, key), content)
    },
    async uploads() {
      const client = new S3Client({
        endpoint: server.url,
        region: 'us-east-1',
        credentials: CREDENTIALS,
        forcePathStyle: true,
      })
      const request = new ListMultipartUploadsCommand({ Bucket: 'bucket' })
      const { Uploads = [] } = await client.send(request).finally(() => client.destroy())
      return Uploads.map(({ Key = '' }) => Key).filter((key) => key.startsWith(`${prefix}/`))
    },
    async [Symbol.asyncDispose]() {
      for (const destination of opened) await destination.close()
      await proxy[Symbol.asyncDispose]()
      await tmp[Symbol.asyncDispose]()
      await rm(objects, { recursive: true, force: true })
    },
  }
}
