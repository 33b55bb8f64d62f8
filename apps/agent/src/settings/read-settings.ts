import type { S3Options } from '@core-dump-handler/upload'
import { composerEnv } from './composer-env.ts'
import { destinationSettings } from './destination.ts'
import { parseVariables } from './parse-variables.ts'
import type { SettingProblem } from './problem.ts'
import { proxySettings } from './proxy-env.ts'
import { type S3Keys, s3Keys } from './s3-keys.ts'
import type { AgentSettings, Trigger } from './settings.ts'
import type { Variables } from './variables.ts'

/** A trigger that was asked for but cannot be read still means: carry. */
const FALLBACK_INTERVAL_MS = 60_000
const HOUR_MS = 3_600_000

/** Uploads from the composer without the disk were removed. */
const REMOVED = ['STRAIGHT_TO_STORE', 'STRAIGHT_HOLD_MS'] as const

/** Typed settings from variables; never throws: what cannot be used falls back and is listed. */
export function readSettings(env: Readonly<NodeJS.ProcessEnv>): {
  readonly settings: AgentSettings
  readonly problems: readonly SettingProblem[]
} {
  const { variables, problems } = parseVariables(env)
  const keys = s3Keys(variables)
  const { HOST_DIR: hostDir, CORE_DIR: coreDir } = variables
  const proxy = proxySettings(env)
  const all = [...problems, ...keys.problems, ...proxy.problems]
  const trigger = chooseTrigger(variables, all)
  all.push(...removedSettings(env))
  const composer = composerEnv(env, {
    USE_CRIO_CONF: String(variables.DEPLOY_CRIO_CONFIG),
    CORE_DIR: coreDir,
    // left alone, the composer looks in the usual places itself
    ...(env['CRIO_ENDPOINT']?.trim() && { CRI_ENDPOINT: variables.CRIO_ENDPOINT }),
    ...(!env['COMP_CORE_EVENT_DIR']?.trim() && { EVENT_DIRECTORY: `${hostDir}/events` }),
  })
  all.push(...composer.problems)
  const secrets = secretsOf(env, variables, [
    ...Object.values(keys.credentials ?? {}),
    ...proxy.secrets,
  ])
  const destination = destinationSettings(variables, credentialsOf(keys, secrets), proxy.proxyEnv)
  if (destination === undefined && trigger.kind !== 'none') {
    all.push({
      variable: 'DESTINATION',
      message: 'is not set, nor is S3_BUCKET_NAME: bundles stay on the node until one of them is',
    })
  }
  const settings: AgentSettings = {
    hostDir,
    coreDir,
    eventDir: composer.settings.eventDirectory,
    coreEvents: composer.settings.coreEvents,
    suidDumpable: variables.SUID_DUMPABLE,
    sysctlRoot: variables.SYSCTL_ROOT,
    deployCrictlConfig: variables.DEPLOY_CRIO_CONFIG,
    deployCrictl: variables.DEPLOY_CRIO_EXE,
    crioEndpoint: variables.CRIO_ENDPOINT,
    trigger,
    ...(destination && { destination }),
    composerEnv: composer.text,
    minFreeBytes: composer.settings.minFreeBytes,
    composerTimeoutMs: composer.settings.timeoutMs,
    procRoot: composer.settings.procRoot,
    spool: {
      maxBytes: variables.SPOOL_MAX_BYTES,
      maxFiles: variables.SPOOL_MAX_FILES,
      maxAgeMs: variables.SPOOL_MAX_AGE_HOURS * HOUR_MS,
    },
    ...(variables.RECOMPRESS && {
      recompress: {
        minBytes: variables.RECOMPRESS_MIN_BYTES,
        maxDelayMs: variables.RECOMPRESS_MAX_DELAY_SECONDS * 1000,
      },
    }),
    healthPort: variables.HEALTH_PORT,
    // with a selector the canary's own pod may not be one whose crashes are kept
    canary: variables.CANARY && composer.settings.podSelectorLabel === '',
    podEvents: variables.POD_EVENTS,
    tamper: variables.TAMPER,
    secrets,
  }
  return { settings, problems: all }
}

/** Keys of files are read when they are asked for, and from then on never told either. */
function credentialsOf(
  { credentials, again }: S3Keys,
  secrets: string[],
): S3Options['credentials'] {
  if (again === undefined) return credentials
  return async () => {
    const keys = again()
    secrets.push(...Object.values(keys).filter((key) => isSecret(key) && !secrets.includes(key)))
    return keys
  }
}

/** Settings that were removed, where the environment still sets them. */
function removedSettings(env: Readonly<NodeJS.ProcessEnv>): SettingProblem[] {
  return REMOVED.flatMap((name) => [`COMP_${name}`, name])
    .filter((variable) => env[variable]?.trim())
    .map((variable) => ({
      variable,
      message: 'was removed and has no effect: bundles go through CORE_DIR',
    }))
}

/** INTERVAL wins over SCHEDULE, which wins over USE_INOTIFY. */
function chooseTrigger(variables: Variables, problems: SettingProblem[]): Trigger {
  const { INTERVAL: intervalMs, SCHEDULE: pattern } = variables
  if (intervalMs !== undefined) return { kind: 'interval', intervalMs }
  if (pattern !== undefined) return { kind: 'schedule', pattern }
  if (variables.USE_INOTIFY) return { kind: 'watch' }
  const asked = problems.find(({ variable }) => /^(INTERVAL|SCHEDULE|USE_INOTIFY)$/.test(variable))
  if (asked === undefined) return { kind: 'none' }
  problems.push({
    variable: asked.variable,
    message: `says that bundles are to be carried, so they are, each ${FALLBACK_INTERVAL_MS} ms`,
  })
  return { kind: 'interval', intervalMs: FALLBACK_INTERVAL_MS }
}

function secretsOf(
  env: Readonly<NodeJS.ProcessEnv>,
  { S3_ACCESS_KEY, S3_SECRET }: Variables,
  more: readonly string[] = [],
): string[] {
  const aws = [env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], env['AWS_SESSION_TOKEN']]
  // also those that could not be used: a broken secret is a secret
  const raw = [env['S3_ACCESS_KEY'], env['S3_SECRET']].map((value) => value?.trim())
  const all = [S3_ACCESS_KEY, S3_SECRET, ...aws, ...raw, ...more]
  return [...new Set(all)].filter(isSecret)
}

/** Shorter ones would take harmless text with them, and are none. */
function isSecret(value: string | undefined): value is string {
  return value !== undefined && value.length >= 6
}
