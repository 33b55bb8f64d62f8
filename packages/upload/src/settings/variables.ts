import * as v from 'valibot'
import { bool, integer, matching, oneOf, path, text, url } from './validators.ts'

// what is signed must be sendable: a line break inside a key is a broken Secret, not a key
const key = matching('printable ASCII without blanks', /^[!-~]+$/)

/** The variables that say where bundles go: what each accepts, and its default as text. */
export const DESTINATION_VARIABLES = {
  DESTINATION: v.optional(
    url(
      'a URL such as `s3://bucket/prefix` or `file:/directory`',
      /^(s3:\/\/[^/]|file:\/)\P{Cc}*$/u,
    ),
  ),
  S3_ACCESS_KEY: v.optional(key),
  S3_SECRET: v.optional(key),
  S3_ACCESS_KEY_FILE: v.optional(path),
  S3_SECRET_FILE: v.optional(path),
  S3_BUCKET_NAME: v.optional(matching('the name of a bucket', /^[\w.-]+$/)),
  S3_PREFIX: v.optional(text, ''),
  S3_REGION: v.optional(matching('the name of a region', /^[\w.:/-]+$/)),
  S3_ENDPOINT: v.optional(url('a URL or a host name', /^(https?:\/\/)?[^\s/]+(\/\S*)?$/i)),
  S3_PATH_STYLE: v.optional(bool),
  S3_CA_FILE: v.optional(path),
  S3_SSE: v.optional(
    v.pipe(
      v.picklist(
        ['AES256', 'aws:kms', 'aws:kms:dsse'],
        'expected `AES256`, `aws:kms` or `aws:kms:dsse`',
      ),
      v.description('`AES256`, `aws:kms` or `aws:kms:dsse`'),
    ),
  ),
  S3_KMS_KEY_ID: v.optional(text),
  S3_STORAGE_CLASS: v.optional(text),
  S3_CHECKSUM: v.optional(oneOf('required', 'supported'), 'required'),
  S3_VERIFY: v.optional(oneOf('head', 'response'), 'head'),
  S3_PART_BYTES: v.optional(integer(5 * 2 ** 20, 2 ** 30, ' of bytes')),
  S3_WORKERS: v.optional(integer(1, 64)),
  AWS_WEB_IDENTITY_TOKEN_FILE: v.optional(text),
  AWS_ENDPOINT_URL: v.optional(text),
  AWS_ENDPOINT_URL_S3: v.optional(text),
} as const

export type DestinationVariables = v.InferOutput<
  v.ObjectSchema<typeof DESTINATION_VARIABLES, undefined>
>
