import * as v from 'valibot'
import type { ComposerSettingName, ComposerSettings } from './settings.ts'

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
const DAY_MS = 86_400_000

/** Typed key, default as text, and what is accepted. */
type SettingRow = {
  readonly [K in keyof ComposerSettings]: readonly [
    key: K,
    defaultValue: string,
    schema: v.GenericSchema<string, ComposerSettings[K]>,
  ]
}[keyof ComposerSettings]

/** Each variable of the composer: its typed key, its default as text, what it accepts. */
export const SETTINGS_SCHEMA: Readonly<Record<ComposerSettingName, SettingRow>> = {
  LOG_LEVEL: ['logLevel', 'debug', oneOf('off', 'error', 'warn', 'info', 'debug', 'trace')],
  IGNORE_CRIO: ['ignoreCrio', 'false', bool],
  INCLUDE_PROC_INFO: ['includeProcInfo', 'false', bool],
  CRIO_IMAGE_CMD: ['crioImageCmd', 'img', oneOf('img', 'images')],
  USE_CRIO_CONF: ['useCrioConf', 'false', bool],
  FILENAME_TEMPLATE: [
    'filenameTemplate',
    '{uuid}-dump-{timestamp}-{hostname}-{exe_name}-{pid}-{signal}',
    text,
  ],
  LOG_LENGTH: ['logLength', '500', integer(0, 100_000)],
  POD_SELECTOR_LABEL: ['podSelectorLabel', '', text],
  TIMEOUT: [
    'timeoutMs',
    '600',
    v.pipe(
      integer(1, DAY_MS / 1000),
      v.transform((seconds) => seconds * 1000),
    ),
  ],
  COMPRESSION: ['compression', 'true', bool],
  CORE_EVENTS: ['coreEvents', 'false', bool],
  EVENT_DIRECTORY: ['eventDirectory', '', path],
  CORE_DIR: ['coreDir', '', path],
  HONOR_CORE_LIMIT: ['honorCoreLimit', 'false', bool],
  SUID_CORES: ['suidCores', 'keep', oneOf('keep', 'refuse')],
  CRI_CLIENT: ['criClient', 'auto', oneOf('auto', 'grpc', 'crictl')],
  CRI_ENDPOINT: [
    'criEndpoint',
    '',
    v.pipe(
      v.string(),
      v.regex(
        /^((unix:(\/\/)?)?\/[^\0]+)?$/,
        'expected a unix socket such as `unix:///run/x.sock`',
      ),
    ),
  ],
  CRI_CALL_TIMEOUT_MS: ['criCallTimeoutMs', '5000', integer(1, DAY_MS)],
  CRI_TOTAL_TIMEOUT_MS: ['criTotalTimeoutMs', '15000', integer(1, DAY_MS)],
  COMPRESSION_MODE: ['compressionMode', '', oneOf('', 'deflate', 'store', 'adaptive', 'zstd')],
  HOLD_BUDGET_MS: ['holdBudgetMs', '1000', integer(0, DAY_MS)],
  MAX_CORE_BYTES: ['maxCoreBytes', '0', integer(0, Number.MAX_SAFE_INTEGER)],
  // room for records: a full disk must not keep a crash from being told
  MIN_FREE_BYTES: ['minFreeBytes', '16777216', integer(0, Number.MAX_SAFE_INTEGER)],
  OVERSIZED_CORE: ['oversizedCore', 'cut', oneOf('cut', 'refuse')],
  RATE_CRASHES: ['rateCrashes', '60', integer(0, 1_000_000)],
  RATE_WINDOW_SECONDS: ['rateWindowSeconds', '600', integer(1, DAY_MS / 1000)],
  CONCURRENT_DRAINS: ['concurrentDrains', '0', integer(0, 1024)],
  OVERRIDE_PROC_FOLDER_PATH: ['procRoot', '/proc', path],
}
