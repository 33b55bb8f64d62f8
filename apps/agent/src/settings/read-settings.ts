import { composerEnv } from './composer-env.ts'
import { destinationSettings, s3Credentials } from './destination.ts'
import { parseVariables } from './parse-variables.ts'
import type { SettingProblem } from './problem.ts'
import type { AgentSettings, Trigger } from './settings.ts'
import type { Variables } from './variables.ts'

/** A trigger that was asked for but cannot be read still means: carry. */
const FALLBACK_INTERVAL_MS = 60_000
const HOUR_MS = 3_600_000

/** Typed settings from variables; never throws: what cannot be used falls back and is listed. */
export function readSettings(env: Readonly<NodeJS.ProcessEnv>): {
  readonly settings: AgentSettings
  readonly problems: readonly SettingProblem[]
} {
  const { variables, problems } = parseVariables(env)
  const { credentials, problems: keyProblems } = s3Credentials(variables)
  const { HOST_DIR: hostDir, CORE_DIR: coreDir } = variables
  const all = [...problems, ...keyProblems]
  const composer = composerEnv(env, {
    USE_CRIO_CONF: String(variables.DEPLOY_CRIO_CONFIG),
    CORE_DIR: coreDir,
    // left alone, the composer looks in the usual places itself
    ...(env['CRIO_ENDPOINT']?.trim() && { CRI_ENDPOINT: variables.CRIO_ENDPOINT }),
    ...(!env['COMP_CORE_EVENT_DIR']?.trim() && { EVENT_DIRECTORY: `${hostDir}/events` }),
  })
  all.push(...composer.problems)
  const trigger = chooseTrigger(variables, all)
  const destination = destinationSettings(variables, credentials)
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
    composerTimeoutMs: composer.settings.timeoutMs,
    procRoot: composer.settings.procRoot,
    spool: {
      maxBytes: variables.SPOOL_MAX_BYTES,
      maxFiles: variables.SPOOL_MAX_FILES,
      maxAgeMs: variables.SPOOL_MAX_AGE_HOURS * HOUR_MS,
    },
    healthPort: variables.HEALTH_PORT,
    // with a selector the canary's own pod may not be one whose crashes are kept
    canary: variables.CANARY && composer.settings.podSelectorLabel === '',
    podEvents: variables.POD_EVENTS,
    tamper: variables.TAMPER,
    secrets: secretsOf(env, variables, credentials && Object.values(credentials)),
  }
  return { settings, problems: all }
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
  // shorter ones would take harmless text with them, and are none
  return [...new Set(all.filter((value) => value !== undefined && value.length >= 6))] as string[]
}
