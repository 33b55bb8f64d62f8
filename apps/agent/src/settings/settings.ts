import type { S3Options } from '@core-dump-handler/upload'
import type { SpoolLimits } from '../spool/choose-evictions.ts'

/** What wakes the carrier; `none`: CORE_DIR is left to others. */
export type Trigger =
  | { readonly kind: 'interval'; readonly intervalMs: number }
  | { readonly kind: 'schedule'; readonly pattern: string }
  | { readonly kind: 'watch' }
  | { readonly kind: 'none' }

/** Where bundles go. */
export interface DestinationSettings {
  /** `s3://bucket/prefix` or `file:/directory`, without credentials. */
  readonly url: string
  readonly s3: S3Options
}

/** Bundles whose core was stored in haste. */
export interface RecompressSettings {
  /** Smaller ones are sent as they are. */
  readonly minBytes: number
  /** Longest time for which a bundle is kept from being sent. */
  readonly maxDelayMs: number
}

/** What an agent goes by, typed. */
export interface AgentSettings {
  /** `cdc`, `.env`, `crictl`, `crictl.yaml`, `*.bak` and `composer.log` live here. */
  readonly hostDir: string
  readonly coreDir: string
  readonly eventDir: string
  /** Whether the composer writes event files there. */
  readonly coreEvents: boolean
  readonly suidDumpable: '0' | '1' | '2'
  readonly sysctlRoot: string
  readonly deployCrictlConfig: boolean
  readonly deployCrictl: boolean
  readonly crioEndpoint: string
  readonly trigger: Trigger
  /** Absent: nothing says where bundles go. */
  readonly destination?: DestinationSettings
  /** Text of the composer's `.env`. */
  readonly composerEnv: string
  /** The composer writes no core where less than this would be left free in CORE_DIR. */
  readonly minFreeBytes: number
  /** After so long a composer ends, done or not. */
  readonly composerTimeoutMs: number
  /** Where the processes of the node are seen, by composer and agent. */
  readonly procRoot: string
  /** What may wait in CORE_DIR; 0: no limit. */
  readonly spool: SpoolLimits
  /** Which bundles are compressed in full before they are sent; absent: none. */
  readonly recompress?: RecompressSettings
  /** 0: no HTTP server. */
  readonly healthPort: number
  /** Let a process crash after the set-up, to see its bundle come. */
  readonly canary: boolean
  /** Create a Kubernetes Event on the pod of each delivered bundle. */
  readonly podEvents: boolean
  /** What is done when somebody else changes one of our sysctls. */
  readonly tamper: 'restore' | 'report'
  /** Values that must never be written anywhere. */
  readonly secrets: readonly string[]
}
