import type { CoreReasonCode } from './core-reason.ts'

import type { Identity } from '@core-dump-handler/cri'

/** Something that went wrong beside the core; the dump goes on. */
export interface Problem {
  /** Stable, upper case, such as `CRI_UNAVAILABLE`. */
  readonly code: string
  readonly message: string
}

/** `<name>-manifest.json`, the last entry of every bundle. */
export interface BundleManifest {
  readonly schema: 'core-dump-handler/bundle@1'
  readonly uuid: string
  /** Version of the composer that wrote the bundle. */
  readonly composer: string
  readonly node: { readonly hostname: string; readonly kernel: string }
  readonly crash: ManifestCrash
  readonly identity: ManifestIdentity
  readonly core: ManifestCore
  readonly timings: ManifestTimings
  readonly problems: readonly Problem[]
}

/** What the kernel said, and `/proc/<hostPid>` while the process was held; absent: not known. */
export interface ManifestCrash {
  /** RFC 3339, UTC. */
  readonly time: string
  readonly signal?: number
  readonly signalName?: string
  /** Name of the crashing thread; bytes that are not UTF-8 are U+FFFD. */
  readonly comm?: string
  /** Its bytes in hexadecimal, when they are not UTF-8. */
  readonly commHex?: string
  readonly exe?: string
  readonly hostPid?: number
  /** In the process's own pid namespace. */
  readonly pid?: number
  /** Crashing thread, host view. */
  readonly tid?: number
  readonly uid?: number
  readonly gid?: number
  /** 1: normal, 2: set-uid and the like, see suid_dumpable in proc_sys_fs(5). */
  readonly dumpMode?: number
  /** Soft RLIMIT_CORE in bytes, as the kernel wrote it. */
  readonly coreLimit?: string
}

/** Whose process it was, as the look-up tells it. */
export type ManifestIdentity = Identity

/** What became of the core. */
export interface ManifestCore {
  /** Name inside the zip; absent when no core was taken. */
  readonly entry?: string
  /** Received and kept. */
  readonly bytes: number
  /** What the entry takes in the zip. */
  readonly storedBytes?: number
  /** What the ELF program headers promise; absent when they could not be read. */
  readonly expectedBytes?: number
  readonly complete: boolean
  /** Why it is incomplete or absent. */
  readonly reason?: string
  /** The same for machines; set since 0.1 wherever `reason` is. */
  readonly reasonCode?: CoreReasonCode
  /** Of the bytes kept, eight hex digits. */
  readonly crc32?: string
  /** Zip method. */
  readonly method?: 'deflate' | 'zstd'
  /** How it was packed while the process was held: COMPRESSION_MODE, as it came out. */
  readonly mode?: 'deflate' | 'store' | 'adaptive' | 'zstd'
  /** In `adaptive`: for so many milliseconds everything was compressed, HOLD_BUDGET_MS. */
  readonly holdBudgetMs?: number
  /** What became of the bytes kept then: runs of zeros, stored as they were, compressed. */
  readonly treated?: {
    readonly zeroBytes: number
    readonly storedBytes: number
    readonly compressedBytes: number
  }
  /** Set when the agent has compressed it in full afterwards; `storedBytes` is what it takes since. */
  readonly recompressed?: {
    /** What it took in the zip before. */
    readonly fromBytes: number
    readonly level: number
  }
}

/** In whole milliseconds. */
export interface ManifestTimings {
  /** From the start of the composer until the crashed process was released. */
  readonly heldMs: number
  readonly lookupMs: number
  readonly totalMs: number
}
