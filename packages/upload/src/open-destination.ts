import type { Destination, DestinationOptions } from './destination.ts'

/**
 * The destination at `url`: `s3://bucket/prefix` or `file:/directory`.
 * Opens no connection and loads no SDK before its first use.
 * Throws `UploadError` `INVALID` when the URL or a setting makes no sense.
 */
export function openDestination(url: string, options: DestinationOptions = {}): Destination {
  throw new Error(`not yet: ${url} ${Object.keys(options).join()}`)
}
