import { Cron } from 'croner'
import * as v from 'valibot'

export const DEFAULT_HOST_DIR = '/var/mnt/core-dump-handler'
const MAX_TIMER_MS = 2 ** 31 - 1

const oneOf = <const T extends string>(...values: T[]) =>
  v.pipe(v.string(), v.toLowerCase(), v.picklist(values, `expected one of ${values.join(', ')}`))

const bool = v.pipe(
  v.string(),
  v.toLowerCase(),
  v.picklist(['true', 'false'], 'expected `true` or `false`'),
  v.transform((value) => value === 'true'),
)

function integer(min: number, max: number, unit = '') {
  const expected = `expected a whole number${unit} from ${min} to ${max}`
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,16}$/, expected),
    v.transform(Number),
    v.minValue(min, expected),
    v.maxValue(max, expected),
  )
}

const path = v.pipe(
  v.string(),
  v.regex(/^\/\P{Cc}*$/u, 'expected an absolute path'),
  v.transform((value) => value.replace(/(?<=.)\/+$/, '')),
)
const text = v.pipe(v.string(), v.regex(/^\P{Cc}*$/u, 'expected one line of text'))
// what is signed must be sendable: a line break inside a key is a broken Secret, not a key
const key = v.pipe(v.string(), v.regex(/^[!-~]+$/, 'expected printable ASCII without blanks'))

const url = (expected: string, pattern: RegExp) =>
  v.pipe(
    v.string(),
    v.regex(pattern, expected),
    v.regex(/^[^@]*$|^[^/]*\/\/[^/@]*\/.*$/, 'expected no user and password in the URL'),
  )

/** Six fields, seconds first (a seventh is the year), weekdays 1 = Sunday to 7: as version 9 read them. */
export const CRON_OPTIONS = {
  mode: '6-or-7-parts',
  alternativeWeekdays: true,
  domAndDow: true,
  timezone: 'UTC',
} as const

function isSchedule(value: string): boolean {
  try {
    return new Cron(value, { ...CRON_OPTIONS, paused: true }).nextRun() !== null
  } catch {
    return false
  }
}

/** Every variable of the agent but the `COMP_*` ones; empty counts as unset. */
export const VARIABLES = {
  HOST_DIR: v.optional(path, DEFAULT_HOST_DIR),
  CORE_DIR: v.optional(path, `${DEFAULT_HOST_DIR}/cores`),
  SUID_DUMPABLE: v.optional(oneOf('0', '1', '2'), '2'),
  SYSCTL_ROOT: v.optional(path, '/proc/sys'),
  VENDOR: v.optional(oneOf('default', 'rhel7'), 'default'),
  DEPLOY_CRIO_CONFIG: v.optional(bool, 'false'),
  DEPLOY_CRIO_EXE: v.optional(bool, 'false'),
  CRIO_ENDPOINT: v.optional(text, 'unix:///run/containerd/containerd.sock'),
  INTERVAL: v.optional(integer(1000, MAX_TIMER_MS, ' of milliseconds')),
  SCHEDULE: v.optional(
    v.pipe(
      v.string(),
      v.check(
        isSchedule,
        'expected a cron expression of six fields, seconds first, that comes due',
      ),
    ),
  ),
  USE_INOTIFY: v.optional(bool, 'false'),
  DESTINATION: v.optional(
    url(
      'expected a URL such as `s3://bucket/prefix` or `file:/directory`',
      /^(s3:\/\/[^/]|file:\/)\P{Cc}*$/u,
    ),
  ),
  S3_ACCESS_KEY: v.optional(key),
  S3_SECRET: v.optional(key),
  S3_ACCESS_KEY_FILE: v.optional(path),
  S3_SECRET_FILE: v.optional(path),
  S3_BUCKET_NAME: v.optional(
    v.pipe(v.string(), v.regex(/^[\w.-]+$/, 'expected the name of a bucket')),
  ),
  S3_PREFIX: v.optional(text, ''),
  S3_REGION: v.optional(
    v.pipe(v.string(), v.regex(/^[\w.:/-]+$/, 'expected the name of a region')),
  ),
  S3_ENDPOINT: v.optional(url('expected a URL or a host name', /^(https?:\/\/)?[^\s/]+(\/\S*)?$/i)),
  S3_PATH_STYLE: v.optional(bool),
  S3_CA_FILE: v.optional(path),
  S3_SSE: v.optional(
    v.picklist(
      ['AES256', 'aws:kms', 'aws:kms:dsse'],
      'expected `AES256`, `aws:kms` or `aws:kms:dsse`',
    ),
  ),
  S3_KMS_KEY_ID: v.optional(text),
  S3_STORAGE_CLASS: v.optional(text),
  S3_CHECKSUM: v.optional(oneOf('required', 'supported'), 'required'),
  S3_PART_BYTES: v.optional(integer(5 * 2 ** 20, 2 ** 30, ' of bytes')),
  S3_WORKERS: v.optional(integer(1, 64)),
  AWS_WEB_IDENTITY_TOKEN_FILE: v.optional(text),
  AWS_ENDPOINT_URL: v.optional(text),
  AWS_ENDPOINT_URL_S3: v.optional(text),
  SPOOL_MAX_BYTES: v.optional(integer(0, Number.MAX_SAFE_INTEGER, ' of bytes'), '0'),
  SPOOL_MAX_FILES: v.optional(integer(0, 1_000_000), '0'),
  SPOOL_MAX_AGE_HOURS: v.optional(integer(0, 1_000_000, ' of hours'), '0'),
  RECOMPRESS: v.optional(bool, 'false'),
  RECOMPRESS_MIN_BYTES: v.optional(
    integer(0, Number.MAX_SAFE_INTEGER, ' of bytes'),
    String(64 * 2 ** 20),
  ),
  RECOMPRESS_MAX_DELAY_SECONDS: v.optional(integer(1, 86_400, ' of seconds'), '300'),
  HEALTH_PORT: v.optional(integer(0, 65_535), '0'),
  POD_EVENTS: v.optional(bool, 'false'),
  CANARY: v.optional(bool, 'true'),
  TAMPER: v.optional(oneOf('restore', 'report'), 'restore'),
} as const

export const SCHEMA: v.ObjectSchema<typeof VARIABLES, undefined> = v.object(VARIABLES)
export type Variables = v.InferOutput<typeof SCHEMA>
export type VariableName = keyof Variables
