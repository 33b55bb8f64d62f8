import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import {
  openDestination,
  type Destination,
  type S3Credentials,
  type S3Options,
} from '@core-dump-handler/upload'
import { afterAll, beforeAll, describe } from 'vitest'
import { MIB } from '../random-file.ts'
import { removeScratch, scratchDirectory } from '../scratch-directory.ts'
import { faultProxy, type FaultProxy } from '../store/fault-proxy.ts'
import { BUCKET, REGION } from '../store/object-store.ts'
import { startVersitygw, type Versitygw } from '../store/versitygw.ts'

const PUT_PROCESS = new URL('./put-process.ts', import.meta.url).pathname
/** Building the server takes minutes, where it is not in the cache. */
const START_MS = 600_000

/** What a test of an upload works with: a real S3 server, behind a proxy that can fail. */
export interface S3Test extends AsyncDisposable {
  readonly server: Versitygw
  readonly proxy: FaultProxy
  /** A directory of its own. */
  readonly dir: string
  /** A prefix of its own in the bucket, and the folder that has its objects. */
  readonly prefix: string
  readonly objects: string
  /** URL and options of the destination behind the proxy. */
  readonly url: string
  readonly s3: S3Options
  readonly credentials: S3Credentials
  readonly store: Destination
  open(options?: S3Options): Destination
  /** Give a key of the prefix another content, past the proxy. */
  occupy(key: string, content: string | Buffer): Promise<void>
  /** Upload a file to `x.zip` in a process of its own. */
  spawnPut(
    file: string,
    s3: S3Options,
    env?: NodeJS.ProcessEnv,
  ): ChildProcessByStdio<null, Readable, Readable>
}

/** Tests against one real S3 server. */
export function describeS3(name: string, tests: (start: () => Promise<S3Test>) => void): void {
  describe(name, () => {
    let server: Versitygw
    let count = 0
    beforeAll(async () => {
      server = await startVersitygw(['--keep-alive'])
    }, START_MS)
    afterAll(() => server.stop())
    tests(() => startTest(server, `t${++count}`))
  })
}

async function startTest(server: Versitygw, prefix: string): Promise<S3Test> {
  const dir = scratchDirectory()
  const proxy = await faultProxy(server.endpoint)
  const credentials = { accessKeyId: server.accessKey, secretAccessKey: server.secret }
  const s3: S3Options = {
    endpoint: proxy.url,
    region: REGION,
    credentials,
    partBytes: 5 * MIB,
    idleTimeoutMs: 1000,
  }
  const url = `s3://${BUCKET}/${prefix}`
  const objects = join(server.folder, prefix)
  const opened: Destination[] = []
  const open = (options: S3Options = {}): Destination => {
    const destination = openDestination(url, { s3: { ...s3, ...options } })
    opened.push(destination)
    return destination
  }
  return {
    server,
    proxy,
    dir,
    prefix,
    objects,
    url,
    s3,
    credentials,
    open,
    store: open(),
    async occupy(key, content) {
      await mkdir(objects, { recursive: true })
      await writeFile(join(objects, key), content)
    },
    spawnPut(file, options, env = process.env) {
      const args = [PUT_PROCESS, url, file, 'x.zip', JSON.stringify(options)]
      return spawn(process.execPath, ['--conditions=@core-dump-handler/source', ...args], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
    },
    async [Symbol.asyncDispose]() {
      for (const destination of opened) await destination.close()
      proxy.close()
      removeScratch(dir)
      await rm(objects, { recursive: true, force: true })
    },
  }
}
