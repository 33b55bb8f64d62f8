import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import {
  COMPOSER_SETTINGS,
  type ComposerSettingName,
  type ComposerSettings,
  formatComposerEnv,
  parseComposerSettings,
} from '@core-dump-handler/capture/settings'
import {
  bool,
  DESTINATION_VARIABLES,
  integer,
  oneOf,
  parseVariables as parse,
  path,
  type SettingProblem,
  text,
  url,
} from '@core-dump-handler/upload/settings'
import { Cron } from 'croner'

import * as v from 'valibot'

const DEFAULT_HOST_DIR = '/var/mnt/core-dump-handler'
const MAX_TIMER_MS = 2 ** 31 - 1

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
  ...DESTINATION_VARIABLES,
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

const SCHEMA: v.ObjectSchema<typeof VARIABLES, undefined> = v.object(VARIABLES)
export type Variables = v.InferOutput<typeof SCHEMA>

/** One row of the table of settings. */
interface VariableRow {
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

/** `env`, and below it the `.env` in `directory` where there is one: a variable that is set wins. */
export function withEnvFile(
  env: Readonly<NodeJS.ProcessEnv>,
  directory: string,
): NodeJS.ProcessEnv {
  try {
    return { ...parseEnv(readFileSync(join(directory, '.env'), 'utf8')), ...env }
  } catch {
    return { ...env } // none is the rule in a container
  }
}

/** Typed values of all variables, and every one that had to fall back to its default. */
export function parseVariables(env: Readonly<NodeJS.ProcessEnv>): {
  readonly variables: Variables
  readonly problems: readonly SettingProblem[]
} {
  return parse(env, VARIABLES)
}

// of version 9; the others may be set for the agent with or without `COMP_`
const ONLY_WITH_PREFIX: ReadonlySet<string> = new Set(
  COMPOSER_SETTINGS.slice(0, 12).map(({ name }) => name),
)

/** Text of the composer's `.env`: from `COMP_*`, then from what the agent itself knows. */
export function composerEnv(
  env: Readonly<NodeJS.ProcessEnv>,
  own: Readonly<Partial<Record<ComposerSettingName, string>>>,
): {
  readonly text: string
  readonly settings: ComposerSettings
  readonly problems: readonly SettingProblem[]
} {
  const values: Partial<Record<ComposerSettingName, string>> = {}
  const sources: Partial<Record<ComposerSettingName, string>> = {}
  for (const { name } of COMPOSER_SETTINGS) {
    const source = variablesOf(name).find((variable) => env[variable]?.trim())
    if (source !== undefined) sources[name] = source
    const value = own[name] ?? (source === undefined ? undefined : env[source]?.trim())
    if (value !== undefined) values[name] = value
  }

  const { settings, bad } = parseComposerSettings(values)
  const problems = bad.map(({ name, value, expected, defaultValue }): SettingProblem => {
    delete values[name]
    const message = `${expected}; ${defaultValue === '' ? 'the default' : `\`${defaultValue}\``} is used`
    return { variable: sources[name] ?? name, got: value, message }
  })
  return { text: formatComposerEnv(values), settings, problems }
}

function variablesOf(name: ComposerSettingName): readonly string[] {
  if (name === 'EVENT_DIRECTORY') return ['COMP_CORE_EVENT_DIR', 'COMP_EVENT_DIRECTORY']
  return ONLY_WITH_PREFIX.has(name) ? [`COMP_${name}`] : [`COMP_${name}`, name]
}
