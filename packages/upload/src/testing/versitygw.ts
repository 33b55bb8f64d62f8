import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export const CREDENTIALS = { accessKeyId: 'tester', secretAccessKey: 'testing-secret' } as const
const REPOSITORY = new URL('../../../../', import.meta.url).pathname
const READY_MS = 15_000

/** The S3 server of the tests: VERSITYGW, on PATH, or in the repository's cache of tools. */
export function findVersitygw(): string | undefined {
  const tools = join(process.env['CORE_DUMP_CACHE'] ?? join(REPOSITORY, '.cache'), 'tools')
  const places = [
    process.env['VERSITYGW'] ?? '',
    ...(process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, 'versitygw')),
    join(tools, 'versitygw'),
    ...list(tools).map((name) => join(tools, name, 'versitygw')),
  ]
  const found = places.find((path) => path !== '' && isExecutable(path))
  if (found === undefined && process.env['CI'] === 'true') {
    throw new Error(
      'versitygw is not there: set VERSITYGW, or run `node packages/testing/src/tools/main.ts versitygw`',
    )
  }
  return found
}

/** A real S3 server on a folder of its own, on loopback. */
export class Versitygw {
  readonly #program: string
  readonly #home: string
  readonly #args: readonly string[]
  readonly port: number
  #child: ChildProcess | undefined

  private constructor(program: string, home: string, port: number, args: readonly string[]) {
    this.#program = program
    this.#home = home
    this.port = port
    this.#args = args
  }

  static async start(program: string, args: readonly string[] = []): Promise<Versitygw> {
    const home = await mkdtemp(join(tmpdir(), 'versitygw-'))
    for (const name of ['data/bucket', 'iam']) await mkdir(join(home, name), { recursive: true })
    const server = new Versitygw(program, home, await freePort(), args)
    await server.up()
    return server
  }

  get url(): string {
    return `${this.#args.includes('--cert') ? 'https' : 'http'}://127.0.0.1:${this.port}`
  }

  /** The folder that the server keeps as its only bucket, `bucket`: objects are plain files. */
  get bucket(): string {
    return join(this.#home, 'data/bucket')
  }

  async up(): Promise<void> {
    const listen = ['-q', '-p', `127.0.0.1:${this.port}`, '--keep-alive']
    const keys = ['-a', CREDENTIALS.accessKeyId, '-s', CREDENTIALS.secretAccessKey]
    const args = [...listen, ...keys, '--iam-dir', join(this.#home, 'iam'), ...this.#args]
    this.#child = spawn(this.#program, [...args, 'posix', join(this.#home, 'data')], {
      stdio: 'ignore',
    })
    for (const end = Date.now() + READY_MS; Date.now() < end; await sleep(50)) {
      if (await answers(this.port)) return
    }
    throw new Error('versitygw does not start')
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child?.exitCode !== null) return
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await rm(this.#home, { recursive: true, force: true })
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  }).finally(() => socket.destroy())
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.startsWith('versitygw'))
  } catch {
    return []
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
