import { accessSync, constants, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { CREDENTIALS } from '../src/testing/versitygw.ts'

export interface Client {
  readonly name: string
  readonly command: (file: string, key: string) => [string, ...string[]]
  readonly env: Readonly<Record<string, string>>
}

const MIB = 1024 * 1024
const KEYS = {
  AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
}

/** Ours, in the shapes that matter, and whatever of the others is installed. */
export function clients(endpoint: string): { present: Client[]; absent: string[] } {
  const ours = (workers: number, partMiB: number, flags: readonly string[] = []): Client => {
    const s3 = {
      endpoint,
      region: 'us-east-1',
      credentials: CREDENTIALS,
      workers,
      partBytes: partMiB * MIB,
    }
    return {
      name: `ours ${partMiB} MiB x ${workers}${flags.length > 0 ? ' (small heap)' : ''}`,
      command: (file, key) => [
        process.execPath,
        ...flags,
        new URL('put.mjs', import.meta.url).pathname,
        file,
        key,
      ],
      env: { BENCH_S3: JSON.stringify(s3) },
    }
  }
  const small = ['--max-semi-space-size=2', '--max-old-space-size=64']
  const present = [ours(2, 8), ours(1, 8), ours(2, 5), ours(2, 8, small), ours(4, 16)]
  const absent: string[] = []
  const peer = (program: string, args: (file: string, key: string) => string[], env = {}): void => {
    const path = find(program)
    if (path === undefined) absent.push(program)
    else
      present.push({
        name: program,
        command: (file, key) => [path, ...args(file, key)],
        env: { ...KEYS, ...env },
      })
  }
  peer('s5cmd', (file, key) => ['--endpoint-url', endpoint, 'cp', file, `s3://bucket/${key}`])
  const rclone = {
    RCLONE_S3_PROVIDER: 'Other',
    RCLONE_S3_ENV_AUTH: 'true',
    RCLONE_S3_ENDPOINT: endpoint,
  }
  peer(
    'rclone',
    (file, key) => ['copyto', file, `:s3:bucket/${key}`, '--s3-no-check-bucket'],
    rclone,
  )
  peer('aws', (file, key) => ['--endpoint-url', endpoint, 's3', 'cp', file, `s3://bucket/${key}`])
  return { present, absent }
}

function find(program: string): string | undefined {
  const tools = new URL('../../../.cache/tools/', import.meta.url).pathname
  const made = list(tools).map((name) => join(tools, name))
  return [...(process.env['PATH'] ?? '').split(delimiter), ...made]
    .map((dir) => join(dir, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
