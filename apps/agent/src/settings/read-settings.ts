import {
  type DestinationSettings,
  readDestination,
  type SettingProblem,
} from '@core-dump-handler/upload/settings'
import { composerEnv, parseVariables, type Variables } from './variables.ts'

/** When bundles are uploaded; `none`: CORE_DIR is left to another program. */
export type Trigger =
  | { readonly kind: 'interval'; readonly intervalMs: number }
  | { readonly kind: 'schedule'; readonly pattern: string }
  | { readonly kind: 'watch' }
  | { readonly kind: 'none' }

/** A trigger that was asked for but cannot be read still means: upload. */
const FALLBACK_INTERVAL_MS = 60_000
const HOUR_MS = 3_600_000

const NO_STRAIGHT = 'bundles go through CORE_DIR'
const NO_RECOMPRESSION = 'cores are compressed in full at once'

/** Settings of features that were removed, and what is true instead. */
const REMOVED: Readonly<Record<string, string>> = {
  STRAIGHT_HOLD_MS: NO_STRAIGHT,
  RECOMPRESS: NO_RECOMPRESSION,
  RECOMPRESS_MIN_BYTES: NO_RECOMPRESSION,
  RECOMPRESS_MAX_DELAY_SECONDS: NO_RECOMPRESSION,
}

/** The typed settings of an agent. */
export type AgentSettings = Readonly<ReturnType<typeof toSettings>>

/** Typed settings from variables; never throws: what cannot be used falls back and is listed. */
export function readSettings(env: Readonly<NodeJS.ProcessEnv>): {
  readonly settings: AgentSettings
  readonly problems: readonly SettingProblem[]
} {
  const { variables, problems } = parseVariables(env)
  const where = readDestination(env, variables, otlpSecrets(env))
  const { destination, secrets } = where
  const all = [...problems, ...where.problems]
  const trigger = chooseTrigger(variables, all)
  all.push(...removedSettings(env))
  const straight = straightToStore(env, variables, { trigger, destination })
  all.push(...straight.problems)
  const composer = composerEnv(env, {
    ...straight.own,
    USE_CRIO_CONF: String(variables.DEPLOY_CRIO_CONFIG),
    CORE_DIR: variables.CORE_DIR,
    // left alone, the composer looks in the usual places itself
    ...(env['CRIO_ENDPOINT']?.trim() && { CRI_ENDPOINT: variables.CRIO_ENDPOINT }),
    ...(!env['COMP_CORE_EVENT_DIR']?.trim() && { EVENT_DIRECTORY: `${variables.HOST_DIR}/events` }),
  })
  all.push(...composer.problems)
  if (destination === undefined && trigger.kind !== 'none') {
    all.push({
      variable: 'DESTINATION',
      message: 'is not set, nor is S3_BUCKET_NAME: bundles stay on the node until one of them is',
    })
  }
  const hasCrioEndpoint = Boolean(env['CRIO_ENDPOINT']?.trim())
  const settings = toSettings(variables, {
    composer,
    trigger,
    destination,
    secrets,
    hasCrioEndpoint,
  })
  return { settings, problems: all }
}

interface Derived {
  readonly composer: ReturnType<typeof composerEnv>
  readonly trigger: Trigger
  readonly destination: DestinationSettings | undefined
  readonly secrets: readonly string[]
  readonly hasCrioEndpoint: boolean
}

function toSettings(
  variables: Variables,
  { composer, trigger, destination, secrets, hasCrioEndpoint }: Derived,
) {
  const otlpLogsUrl = logsUrl(variables)
  return {
    hostDir: variables.HOST_DIR,
    coreDir: variables.CORE_DIR,
    eventDir: composer.settings.eventDirectory,
    /** Whether the composer writes event files there. */
    coreEvents: composer.settings.coreEvents,
    suidDumpable: variables.SUID_DUMPABLE,
    sysctlRoot: variables.SYSCTL_ROOT,
    receiverMode: variables.RECEIVER_MODE,
    kernelManagedBy: variables.KERNEL_MANAGED_BY,
    deployCrictlConfig: variables.DEPLOY_CRIO_CONFIG,
    deployCrictl: variables.DEPLOY_CRIO_EXE,
    crioEndpoint: variables.CRIO_ENDPOINT,
    /** Otherwise the socket of the runtime is looked for, and `crioEndpoint` is the default of version 9. */
    hasCrioEndpoint,
    trigger,
    /** Absent: no setting says where bundles go. */
    ...(destination && { destination }),
    /** Text of the composer's `.env`. */
    composerEnv: composer.text,
    /** The composer writes no core where less than this would be left free in CORE_DIR. */
    minFreeBytes: composer.settings.minFreeBytes,
    /** The composer copies executables and libraries of crashed processes, which are uploaded once each. */
    binaries: composer.settings.binaries,
    /** After so long a composer ends, done or not. */
    composerTimeoutMs: composer.settings.timeoutMs,
    /** Where composer and agent find the processes of the node. */
    procRoot: composer.settings.procRoot,
    /** What may wait in CORE_DIR; 0: no limit. */
    spool: {
      maxBytes: variables.SPOOL_MAX_BYTES,
      maxFiles: variables.SPOOL_MAX_FILES,
      maxAgeMs: variables.SPOOL_MAX_AGE_HOURS * HOUR_MS,
    },
    /** 0: no HTTP server. */
    healthPort: variables.HEALTH_PORT,
    /** Whether a process is made to crash after the set-up. With a selector its own pod may not be one whose crashes are kept. */
    canary: variables.CANARY && composer.settings.podSelectorLabel === '',
    podEvents: variables.POD_EVENTS,
    /** Where crashes are sent as OpenTelemetry log records; absent: nowhere. */
    ...(otlpLogsUrl !== undefined && { otlpLogsUrl }),
    /** What is done when another program changes one of our sysctls. */
    tamper: variables.TAMPER,
    /** Values that must never be written anywhere; more are added when key files change. */
    secrets,
  }
}

/** As the exporter of OpenTelemetry makes it of its variables. */
function logsUrl({
  OTEL_EXPORTER_OTLP_ENDPOINT: base,
  OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: whole,
}: Variables): string | undefined {
  return whole ?? (base === undefined ? undefined : `${base.replace(/\/+$/, '')}/v1/logs`)
}

/** Settings that were removed, where the environment still sets them. */
function removedSettings(env: Readonly<NodeJS.ProcessEnv>): SettingProblem[] {
  return Object.entries(REMOVED)
    .flatMap(([name, instead]) => [
      { variable: `COMP_${name}`, message: `was removed and has no effect: ${instead}` },
      { variable: name, message: `was removed and has no effect: ${instead}` },
    ])
    .filter(({ variable }) => env[variable]?.trim())
}

/**
 * STRAIGHT_TO_STORE is for crashes on the coredump socket, and the agent completes the uploads; elsewhere it is off.
 * `true` and `false` are of the setting that composers had.
 */
function straightToStore(
  env: Readonly<NodeJS.ProcessEnv>,
  { RECEIVER_MODE: receiverMode }: Variables,
  { trigger, destination }: Pick<Derived, 'trigger' | 'destination'>,
): { readonly own?: { STRAIGHT_TO_STORE: 'off' }; readonly problems: SettingProblem[] } {
  const names = ['COMP_STRAIGHT_TO_STORE', 'STRAIGHT_TO_STORE']
  const variable = names.find((name) => env[name]?.trim())
  const value = env[variable ?? '']?.trim().toLowerCase()
  if (variable === undefined || value === 'off') return { problems: [] }
  const off = (message: string): ReturnType<typeof straightToStore> => ({
    own: { STRAIGHT_TO_STORE: 'off' },
    problems: [{ variable, message }],
  })
  if (value === 'true' || value === 'false') {
    return off(`was removed and has no effect: ${NO_STRAIGHT}`)
  }
  const needs = [
    receiverMode === 'off' && 'crashes on the coredump socket: RECEIVER_MODE is `off`',
    !destination?.url.startsWith('s3://') && 'a destination such as `s3://bucket/prefix`',
    trigger.kind === 'none' && 'an agent that uploads: set INTERVAL, SCHEDULE or USE_INOTIFY',
  ].find((each) => each !== false)
  return needs === undefined ? { problems: [] } : off(`has no effect: it needs ${needs}`)
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
    message: `asks for uploads, so bundles are uploaded each ${FALLBACK_INTERVAL_MS} ms`,
  })
  return { kind: 'interval', intervalMs: FALLBACK_INTERVAL_MS }
}

/** Headers of the receiver of OpenTelemetry logs hold tokens. */
function otlpSecrets(env: Readonly<NodeJS.ProcessEnv>): string[] {
  return ['OTEL_EXPORTER_OTLP_HEADERS', 'OTEL_EXPORTER_OTLP_LOGS_HEADERS']
    .flatMap((name) => env[name]?.split(',') ?? [])
    .map((header) => header.slice(header.indexOf('=') + 1).trim())
}
