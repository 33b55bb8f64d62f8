import { fileURLToPath } from 'node:url'
import type { Destination, DestinationOptions } from './destination.ts'
import { UploadError } from './error.ts'
import { LazyDestination } from './lazy-destination.ts'
import { checkS3Options } from './s3/options.ts'
import { show } from './text.ts'

// stores other than AWS take names of other lengths: the store decides
const S3_URL = /^s3:\/\/([A-Za-z0-9][\w.-]{0,254})(?:\/([^?#]*))?$/

/**
 * The destination at `url`: `s3://bucket/prefix` or `file:/directory`.
 * Opens no connection and loads no SDK before its first use.
 * Throws `UploadError` `INVALID` when the URL or a setting makes no sense.
 */
export function openDestination(url: string, options: DestinationOptions = {}): Destination {
  if (url.startsWith('file:/')) return directory(url)
  const s3 = S3_URL.exec(url)
  if (s3) return bucket(s3[1] ?? '', s3[2] ?? '', options)
  // whatever stands before an @ may be a secret
  const shown = show(url.replace(/\/\/.*@/, '//…@'))
  throw new UploadError(
    'INVALID',
    `${shown} is no destination: expected \`s3://bucket/prefix\` or \`file:/directory\``,
  )
}

function bucket(name: string, path: string, { s3 = {} }: DestinationOptions): Destination {
  checkS3Options(s3)
  const parts = path.split('/').filter((part) => part !== '')
  if (parts.some((part) => part === '.' || part === '..')) {
    throw new UploadError('INVALID', `The prefix ${show(path)} has a \`.\` or \`..\` component`)
  }
  const prefix = parts.map((part) => `${part}/`).join('')
  return new LazyDestination(`s3://${name}/${prefix}`, async () => {
    const { S3Destination } = await import('./s3/destination.ts')
    return new S3Destination(name, prefix, s3)
  })
}

function directory(url: string): Destination {
  let path: string
  try {
    path = fileURLToPath(url)
  } catch (cause) {
    throw new UploadError('INVALID', `${show(url)} is no directory: expected \`file:/directory\``, {
      cause,
    })
  }
  return new LazyDestination(url, async () => {
    const { DirectoryDestination } = await import('./directory/destination.ts')
    return new DirectoryDestination(path)
  })
}
