import { Cron } from 'croner'
import * as v from 'valibot'

export const DEFAULT_HOST_DIR = '/var/mnt/core-dump-handler'
const MAX_TIMER_MS = 2 ** 31 - 1

function matching(accepts: string, pattern: RegExp) {
  return v.pipe(v.string(), v.regex(pattern, `expected ${accepts}`), v.description(accepts))
}

function oneOf<const T extends string>(...values: T[]) {
  const accepts = `one of ${values.join(', ')}`
  return v.pipe(
    v.string(),
    v.toLowerCase(),
    v.picklist(values, `expected ${accepts}`),
    v.description(accepts),
  )
}

const bool = v.pipe(
  v.string(),
  v.toLowerCase(),
  v.picklist(['true', 'false'], 'expected `true` or `false`'),
  v.transform((value) => value === 'true'),
  v.description('`true` or `false`'),
)

function integer(min: number, max: number, unit = '') {
  const accepts = `a whole number${unit} from ${min} to ${max}`
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,16}$/, `expected ${accepts}`),
    v.transform(Number),
    v.minValue(min, `expected ${accepts}`),
    v.maxValue(max, `expected ${accepts}`),
    v.description(accepts),
  )
}

const path = v.pipe(
  matching('an absolute path', /^\/\P{Cc}*$/u),
  v.transform((value) => value.replace(/(?<=.)\/+$/, '')),
  v.description('an absolute path'),
)
const text = matching('one line of text', /^\P{Cc}*$/u)
// what is signed must be sendable: a line break inside a key is a broken Secret, not a key
const key = matching('printable ASCII without blanks', /^[!-~]+$/)

const url = (accepts: string, pattern: RegExp) =>
  v.pipe(
    matching(accepts, pattern),
    v.regex(/^[^@]*$|^[^/]*\/\/[^/@]*\/.*$/, 'expected no user and password in the URL'),
    v.description(accepts),
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

const SCHEDULE = 'a cron expression of six fields, seconds first, that comes due'

/**
 * Every variable of the agent except the `COMP_*` ones: its default as text, what it accepts, and
 * the type of its value. An empty variable counts as not set.
 */
export const VARIABLES = {
  /** `cdc`, `.env`, `crictl`, `crictl.yaml`, `*.bak` and `composer.log` are in this directory. */
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
    v.pipe(v.string(), v.check(isSchedule, `expected ${SCHEDULE}`), v.description(SCHEDULE)),
  ),
  USE_INOTIFY: v.optional(bool, 'false'),
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
  SPOOL_MAX_BYTES: v.optional(integer(0, Number.MAX_SAFE_INTEGER, ' of bytes'), '0'),
  SPOOL_MAX_FILES: v.optional(integer(0, 1_000_000), '0'),
  SPOOL_MAX_AGE_HOURS: v.optional(integer(0, 1_000_000, ' of hours'), '0'),
  HEALTH_PORT: v.optional(integer(0, 65_535), '0'),
  POD_EVENTS: v.optional(bool, 'false'),
  OTEL_EXPORTER_OTLP_ENDPOINT: v.optional(url('an HTTP URL', /^https?:\/\/[^\s/]\S*$/i)),
  OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: v.optional(url('an HTTP URL', /^https?:\/\/[^\s/]\S*$/i)),
  CANARY: v.optional(bool, 'true'),
  /** Whether crashes go to the receiver of this node, where one runs and the kernel can connect to it. */
  RECEIVER_MODE: v.optional(oneOf('auto', 'off', 'required'), 'off'),
  /**
   * Who sets the three sysctls; `node`: its configuration, the agent only checks them;
   * `init-container`: the pattern of the receiver by an init container, the others by the agent.
   */
  KERNEL_MANAGED_BY: v.optional(oneOf('agent', 'node', 'init-container'), 'agent'),
  TAMPER: v.optional(oneOf('restore', 'report'), 'restore'),
} as const

export const SCHEMA: v.ObjectSchema<typeof VARIABLES, undefined> = v.object(VARIABLES)
export type Variables = v.InferOutput<typeof SCHEMA>
export type VariableName = keyof Variables

/** One row of the table of settings. */
export interface VariableRow {
  readonly name: string
  /** As it would be written; `undefined`: not set. */
  readonly defaultValue: string | undefined
  readonly accepts: string
}

/** All variables of the agent except the `COMP_*` ones, for documents. */
export const VARIABLE_ROWS: readonly VariableRow[] = Object.entries(VARIABLES).map(
  ([name, schema]) => ({
    name,
    defaultValue: schema.default,
    accepts: v.getDescription(schema.wrapped) ?? '',
  }),
)
