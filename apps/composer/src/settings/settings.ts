/** How the core is packed: see `CompressionMode` of `@core-dump-handler/ingest`. */
export type CompressionSetting = 'deflate' | 'store' | 'adaptive' | 'zstd'

/** Levels of the ancestor's logger, least talkative first. */
export type LogLevel = 'off' | 'error' | 'warn' | 'info' | 'debug' | 'trace'

/** What a composer goes by, typed; `COMPOSER_SETTINGS` has the variable of each. */
export interface ComposerSettings {
  readonly logLevel: LogLevel
  /** Ask no runtime at all. */
  readonly ignoreCrio: boolean
  /** Pack `/proc` files of the crashing process and of each container's init. */
  readonly includeProcInfo: boolean
  /** Verb of crictl that lists images. */
  readonly crioImageCmd: 'img' | 'images'
  /** Give crictl `-c <home>/crictl.yaml`. */
  readonly useCrioConf: boolean
  readonly filenameTemplate: string
  /** Lines of each container's log. */
  readonly logLength: number
  /** Only pods with this label key; empty: all. */
  readonly podSelectorLabel: string
  readonly timeoutMs: number
  readonly compression: boolean
  readonly coreEvents: boolean
  /** Empty: `<home>/events`. */
  readonly eventDirectory: string
  /** Where bundles go; empty: the working directory. */
  readonly coreDir: string
  /** Leave a process alone that asked for no core (`%c` below one page). */
  readonly honorCoreLimit: boolean
  /** What becomes of dumps of set-uid processes (`%d` = 2). */
  readonly suidCores: 'keep' | 'refuse'
  readonly criClient: 'auto' | 'grpc' | 'crictl'
  /** `unix:///run/…/x.sock`; empty: the usual places. */
  readonly criEndpoint: string
  readonly criCallTimeoutMs: number
  readonly criTotalTimeoutMs: number
  /** Empty: `adaptive`, without a hold budget `deflate`; `store` when `compression` is off. */
  readonly compressionMode: CompressionSetting | ''
  /** `adaptive`: how long everything is compressed before what would wait for it is stored. */
  readonly holdBudgetMs: number
  /** A longer core is cut or refused; 0: no limit. */
  readonly maxCoreBytes: number
  /** Below this free space no core is taken, only the record, and one being taken is cut; 0: no limit. */
  readonly minFreeBytes: number
  /** What becomes of a core longer than `maxCoreBytes`. */
  readonly oversizedCore: 'cut' | 'refuse'
  /** Crashes of one workload that are taken in each window of time; 0: all. */
  readonly rateCrashes: number
  readonly rateWindowSeconds: number
  /** Composers that copy memory at the same time, the others wait; 0: one per CPU, 8 at least. */
  readonly concurrentDrains: number
  /** Where the host's `/proc` is. */
  readonly procRoot: string
}

/** The variables, in the order of `.env`. */
export type ComposerSettingName =
  // version 9 knew these, in this order
  | 'LOG_LEVEL'
  | 'IGNORE_CRIO'
  | 'INCLUDE_PROC_INFO'
  | 'CRIO_IMAGE_CMD'
  | 'USE_CRIO_CONF'
  | 'FILENAME_TEMPLATE'
  | 'LOG_LENGTH'
  | 'POD_SELECTOR_LABEL'
  | 'TIMEOUT'
  | 'COMPRESSION'
  | 'CORE_EVENTS'
  | 'EVENT_DIRECTORY'
  | 'CORE_DIR'
  | 'HONOR_CORE_LIMIT'
  | 'SUID_CORES'
  | 'CRI_CLIENT'
  | 'CRI_ENDPOINT'
  | 'CRI_CALL_TIMEOUT_MS'
  | 'CRI_TOTAL_TIMEOUT_MS'
  | 'COMPRESSION_MODE'
  | 'HOLD_BUDGET_MS'
  | 'MAX_CORE_BYTES'
  | 'MIN_FREE_BYTES'
  | 'OVERSIZED_CORE'
  | 'RATE_CRASHES'
  | 'RATE_WINDOW_SECONDS'
  | 'CONCURRENT_DRAINS'
  | 'OVERRIDE_PROC_FOLDER_PATH'
