import { fileURLToPath } from 'node:url'
import { CliError } from '../error.ts'
import { show } from '../output/output.ts'
import { DirectoryStore, type Store } from './store.ts'

const S3_URL = /^s3:\/\/([A-Za-z0-9][\w.-]{1,254})(?:\/([^?#]*))?$/

export interface StoreOptions {
  /** Of an S3 store that is not AWS. @default AWS_ENDPOINT_URL_S3 and so on, as the SDK finds it */
  readonly endpoint?: string
  /** @default AWS_REGION and so on, as the SDK finds it, else us-east-1 */
  readonly region?: string
}

/** `url` is a location and not the id of a bundle. */
export function isStoreUrl(url: string): boolean {
  return url.startsWith('s3:') || url.startsWith('file:')
}

/**
 * The store at `s3://bucket/prefix` or `file:/directory`; the SDK is loaded for a bucket only.
 *
 * @throws CliError `USAGE` when the URL is neither
 */
export async function openStore(url: string, options: StoreOptions = {}): Promise<Store> {
  if (url.startsWith('file:/')) return new DirectoryStore(directoryOf(url))
  const s3 = S3_URL.exec(url)
  if (s3 === null) {
    const message = `${show(url)} is no location: expected \`s3://bucket/prefix\` or \`file:/directory\``
    throw new CliError('USAGE', message)
  }
  const { S3Store } = await import('./s3-store.ts')
  const parts = (s3[2] ?? '').split('/').filter((part) => part !== '')
  const prefix = parts.map((part) => `${part}/`).join('')
  return new S3Store({ bucket: s3[1] ?? '', prefix, ...options })
}

function directoryOf(url: string): string {
  try {
    return fileURLToPath(url)
  } catch (cause) {
    const message = `${show(url)} is no directory: expected \`file:/directory\``
    throw new CliError('USAGE', message, { cause })
  }
}
