import * as v from 'valibot'

const DAY_MS = 86_400_000

const bool = v.pipe(
  v.string(),
  v.toLowerCase(),
  v.picklist(['true', 'false'], 'expected `true` or `false`'),
  v.transform((value) => value === 'true'),
)

function integer(min: number, max: number) {
  const expected = `expected a whole number from ${min} to ${max}`
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,16}$/, expected),
    v.transform(Number),
    v.minValue(min, expected),
    v.maxValue(max, expected),
  )
}

const oneOf = <const T extends string>(...values: T[]) =>
  v.pipe(v.string(), v.toLowerCase(), v.picklist(values, `expected one of ${values.join(', ')}`))

const text = v.string()
const path = v.pipe(v.string(), v.regex(/^(\/[^\0]*)?$/, 'expected an absolute path'))
const bytes = integer(0, Number.MAX_SAFE_INTEGER)
const socket = v.pipe(
  v.string(),
  v.regex(/^((unix:(\/\/)?)?\/[^\0]+)?$/, 'expected a unix socket such as `unix:///run/x.sock`'),
)
const seconds = v.pipe(
  integer(1, DAY_MS / 1000),
  v.transform((value) => value * 1000),
)

/** The variable in `.env`, its default as text, and what it accepts. */
function setting<const N extends string, S extends v.GenericSchema<string, unknown>>(
  variable: N,
  defaultValue: string,
  schema: S,
): S & { readonly variable: N; readonly defaultValue: string } {
  return { ...schema, variable, defaultValue }
}

// the order of `.env`: the twelve lines of IBM core-dump-handler 9 in its order, then ours
const FIELDS = {
  /** Levels of v9's logger, least talkative first. */
  logLevel: setting('LOG_LEVEL', 'debug', oneOf('off', 'error', 'warn', 'info', 'debug', 'trace')),
  /** Ask no container runtime at all. */
  ignoreCrio: setting('IGNORE_CRIO', 'false', bool),
  /** Pack `/proc` files of the crashed process and of the first process of each container. */
  includeProcInfo: setting('INCLUDE_PROC_INFO', 'false', bool),
  /** The command of crictl that lists images. */
  crioImageCmd: setting('CRIO_IMAGE_CMD', 'img', oneOf('img', 'images')),
  /** Start crictl with `-c <home>/crictl.yaml`. */
  useCrioConf: setting('USE_CRIO_CONF', 'false', bool),
  filenameTemplate: setting(
    'FILENAME_TEMPLATE',
    '{uuid}-dump-{timestamp}-{hostname}-{exe_name}-{pid}-{signal}',
    text,
  ),
  /** Lines of the log of each container. */
  logLength: setting('LOG_LENGTH', '500', integer(0, 100_000)),
  /** Only pods with this label key; empty: all. */
  podSelectorLabel: setting('POD_SELECTOR_LABEL', '', text),
  /** Seconds in `.env`, milliseconds here. */
  timeoutMs: setting('TIMEOUT', '600', seconds),
  compression: setting('COMPRESSION', 'true', bool),
  /** Write an event file for each bundle. */
  coreEvents: setting('CORE_EVENTS', 'false', bool),
  /** Empty: `<home>/events`. */
  eventDirectory: setting('EVENT_DIRECTORY', '', path),
  /** Directory of the bundles; empty: the working directory. */
  coreDir: setting('CORE_DIR', '', path),
  /** Take no core of a process whose core limit (`%c`) is below one page. */
  honorCoreLimit: setting('HONOR_CORE_LIMIT', 'false', bool),
  /** Whether cores of set-uid processes (`%d` = 2) are taken. */
  suidCores: setting('SUID_CORES', 'keep', oneOf('keep', 'refuse')),
  criClient: setting('CRI_CLIENT', 'auto', oneOf('auto', 'grpc', 'crictl')),
  /** `unix:///run/…/x.sock`; empty: the usual places. */
  criEndpoint: setting('CRI_ENDPOINT', '', socket),
  criCallTimeoutMs: setting('CRI_CALL_TIMEOUT_MS', '5000', integer(1, DAY_MS)),
  criTotalTimeoutMs: setting('CRI_TOTAL_TIMEOUT_MS', '15000', integer(1, DAY_MS)),
  /**
   * Empty: `deflate` with ISA-L, `adaptive` with zlib, with a hold budget of 0 `deflate`; `store`
   * when `compression` is off.
   */
  compressionMode: setting(
    'COMPRESSION_MODE',
    '',
    oneOf('', 'deflate', 'store', 'adaptive', 'zstd'),
  ),
  /** `auto`: ISA-L where it can be loaded and the core is not small. */
  compressionEngine: setting('COMPRESSION_ENGINE', 'auto', oneOf('auto', 'isal', 'zlib')),
  /** `adaptive`: so long everything is compressed, then what would wait for it is stored. */
  holdBudgetMs: setting('HOLD_BUDGET_MS', '1000', integer(0, DAY_MS)),
  /** A longer core is cut or rejected; 0: no limit. */
  maxCoreBytes: setting('MAX_CORE_BYTES', '0', bytes),
  /** Below this free space a crash is only recorded, and a core being written is cut; 0: no limit. */
  minFreeBytes: setting('MIN_FREE_BYTES', '16777216', bytes),
  /** For a core longer than `maxCoreBytes`. */
  oversizedCore: setting('OVERSIZED_CORE', 'cut', oneOf('cut', 'refuse')),
  /** Cores of one workload that are taken in each window; 0: all. */
  rateCrashes: setting('RATE_CRASHES', '60', integer(0, 1_000_000)),
  rateWindowSeconds: setting('RATE_WINDOW_SECONDS', '600', integer(1, DAY_MS / 1000)),
  /** Cores of one fingerprint that are taken in each window; 0: all. Not with REPORT=off. */
  coresPerFingerprint: setting('CORES_PER_FINGERPRINT', '0', integer(0, 10_000)),
  fingerprintWindowSeconds: setting(
    'FINGERPRINT_WINDOW_SECONDS',
    '86400',
    integer(1, DAY_MS / 1000),
  ),
  /** Cores that are drained at the same time, other crashes wait; 0: one per CPU, at least 8. */
  concurrentDrains: setting('CONCURRENT_DRAINS', '0', integer(0, 1024)),
  /** Stacks of all threads, of the one that crashed, or none. */
  report: setting('REPORT', 'full', oneOf('full', 'crash', 'off')),
  /** Whether the stacks in use are kept for a debugger; not with REPORT=off. */
  minicore: setting('MINICORE', 'true', bool),
  /** Whether executables and libraries are copied to `binaries` in `coreDir`, for the agent to upload. */
  binaries: setting('BINARIES', 'false', bool),
  /**
   * Whether cores go to the store while they are read: those that the disk cannot hold (`auto`), or
   * all. Of crashes on the coredump socket only.
   */
  straightToStore: setting('STRAIGHT_TO_STORE', 'off', oneOf('auto', 'always', 'off')),
  /** Where the `/proc` of the host is. */
  procRoot: setting('OVERRIDE_PROC_FOLDER_PATH', '/proc', path),
}

const SCHEMA = v.object(FIELDS)

/** The settings of a capture, typed; `COMPOSER_SETTINGS` has the variable of each. */
export type ComposerSettings = Readonly<v.InferOutput<typeof SCHEMA>>

/** A variable of `.env`, such as `LOG_LEVEL`. */
export type ComposerSettingName = (typeof FIELDS)[keyof typeof FIELDS]['variable']

/** A variable of `.env`. */
export interface ComposerSetting {
  readonly name: ComposerSettingName
  /** Field of `ComposerSettings` it sets. */
  readonly key: string
  /** Used where the variable is absent or not valid. */
  readonly defaultValue: string
}

/** Every setting in the order of `.env`: the twelve lines of v9, then ours. */
export const COMPOSER_SETTINGS: readonly ComposerSetting[] = Object.entries(FIELDS).map(
  ([key, { variable, defaultValue }]) => ({ name: variable, key, defaultValue }),
)

/** A variable whose value is not valid. */
export interface BadSetting {
  readonly name: ComposerSettingName
  readonly value: string
  /** Such as: expected `true` or `false`. */
  readonly expected: string
  /** Used in its place. */
  readonly defaultValue: string
}

export interface ParsedSettings {
  readonly settings: ComposerSettings
  /** Those that are not valid; their defaults are in `settings`. */
  readonly bad: readonly BadSetting[]
}

/** Typed settings from variables; never throws: a value that is not valid falls back to its default. */
export function parseComposerSettings(
  variables: Readonly<Record<string, string | undefined>>,
): ParsedSettings {
  const values: Record<string, string> = {}
  for (const { name, key, defaultValue } of COMPOSER_SETTINGS) {
    // a variable set to nothing means its default, as everywhere in containers
    values[key] = variables[name]?.trim() || defaultValue
  }
  const parsed = v.safeParse(SCHEMA, values)
  if (parsed.success) return { settings: parsed.output, bad: [] }
  const messages = new Map(parsed.issues.map((issue) => [v.getDotPath(issue), issue.message]))
  const bad = COMPOSER_SETTINGS.flatMap(({ name, key, defaultValue }) => {
    const expected = messages.get(key)
    const value = values[key] ?? ''
    if (expected === undefined) return []
    values[key] = defaultValue
    return [{ name, value, expected, defaultValue }]
  })
  return { settings: v.parse(SCHEMA, values), bad }
}
