import { hostname, release } from 'node:os'

/** Something that went wrong beside the core; the capture went on. */
export interface Warning {
  /** Stable, upper case, such as `CRI_UNAVAILABLE`. */
  readonly code: string
  readonly message: string
}

/** How the kernel passed a core: on a pipe to a composer of its own, or on the receiver's socket. */
export type ManifestEntry = 'pipe' | 'socket'

/** `<name>-manifest.json`, the last entry of every bundle. */
export interface BundleManifest {
  readonly schema: typeof MANIFEST_SCHEMA_ID
  readonly uuid: string
  /** Version of the program that wrote the bundle. */
  readonly composer: string
  /** Absent in records of the agent and before 0.1. */
  readonly entry?: ManifestEntry | undefined
  readonly node: { readonly hostname: string; readonly kernel: string }
  readonly crash: ManifestCrash
  readonly identity: ManifestIdentity
  readonly core: ManifestCore
  /** Of the report: the same crash has the same; absent when no stack was unwound. */
  readonly fingerprint?: ManifestFingerprint
  /** The first frame that a person would look at, such as `crash_here (web)`. */
  readonly topFrame?: string
  /** What the report does not have, and why, in sentences. */
  readonly reportSkipped?: readonly string[]
  readonly timings: ManifestTimings
  readonly problems: readonly Warning[]
}

/** What the kernel passed, core(5), and `/proc/<hostPid>` while the process was held; absent: not known. */
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

/** The container and pod of the crashed process. */
export interface ManifestIdentity {
  /**
   * `verified`: proven from the process to the pod; `host`: the process is in no container;
   * `unverified`: anything else, whatever else is set.
   */
  readonly status: 'verified' | 'unverified' | 'host'
  /** Why it is not verified, or that the crash was in no container of the pod. */
  readonly reason?: string
  readonly containerId?: string
  readonly container?: string
  readonly pod?: string
  readonly namespace?: string
  /** As the kubelet has it: of a static pod the `kubernetes.io/config.hash` of its mirror pod. */
  readonly podUid?: string
  readonly image?: string
  readonly imageRef?: string
  readonly restartCount?: number
}

/** The core entry, or why there is none. */
export interface ManifestCore {
  /** Name inside the zip; absent when no core was written. */
  readonly entry?: string
  /** Received and kept. */
  readonly bytes: number
  /** Size of the entry in the zip. */
  readonly storedBytes?: number
  /** Size by the ELF program headers; absent when they could not be read. */
  readonly expectedBytes?: number
  readonly complete: boolean
  /** Why it is incomplete or absent. */
  readonly reason?: string
  /** The same for machines; set since 0.1 wherever `reason` is. */
  readonly reasonCode?: CoreReasonCode | undefined
  /** CRC-32 of the bytes kept, eight hexadecimal digits. */
  readonly crc32?: string
  /** Compression method of the entry, APPNOTE 4.4.5. */
  readonly method?: 'deflate' | 'zstd' | undefined
  /** The library that compressed, Intel's ISA-L or zlib; absent for zstd. */
  readonly engine?: 'isal' | 'zlib' | undefined
  /** COMPRESSION_MODE while the process was held. */
  readonly mode?: 'deflate' | 'store' | 'adaptive' | 'zstd' | undefined
  /** HOLD_BUDGET_MS in mode `adaptive`: everything was compressed for so many milliseconds. */
  readonly holdBudgetMs?: number
  /** How the bytes kept were written: runs of zeros, stored, compressed. */
  readonly treated?: {
    readonly zeroBytes: number
    readonly storedBytes: number
    readonly compressedBytes: number
  }
}

export interface ManifestFingerprint {
  /** Of this build. */
  readonly id: string
  /** Of any build. */
  readonly family: string
}

/** In whole milliseconds. */
export interface ManifestTimings {
  /** From the start of the composer until the crashed process was released. */
  readonly heldMs: number
  readonly lookupMs: number
  readonly totalMs: number
}

/** Value of `schema` in every manifest. */
export const MANIFEST_SCHEMA_ID = 'core-dump-handler/bundle@1'

/** What a writer passes for a manifest. */
export type ManifestParts = Omit<BundleManifest, 'schema' | 'node'> & {
  /** @default this machine's host name and kernel release */
  readonly node?: BundleManifest['node']
}

/** The manifest of a bundle that this machine writes. */
export function createManifest({ node, ...parts }: ManifestParts): BundleManifest {
  const { uuid, composer, entry, crash, identity, core, timings, problems } = parts
  const { fingerprint, topFrame, reportSkipped } = parts
  return {
    schema: MANIFEST_SCHEMA_ID,
    uuid,
    composer,
    ...(entry !== undefined && { entry }),
    node: node ?? { hostname: hostname(), kernel: release() },
    crash,
    identity,
    core,
    ...(fingerprint && { fingerprint: { id: fingerprint.id, family: fingerprint.family } }),
    ...(topFrame !== undefined && { topFrame }),
    ...(reportSkipped !== undefined && { reportSkipped }),
    timings,
    problems,
  }
}

/** The text of the entry `<name>-manifest.json`. */
export function formatManifest(manifest: BundleManifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`
}

/** Why a core is incomplete or absent, for machines; a new code is a minor change. */
export const CORE_REASON_CODES = [
  /** Cut at MAX_CORE_BYTES, at MIN_FREE_BYTES, or at a failed write. */
  'CORE_CUT',
  'CORE_REFUSED',
  'CORE_OVERSIZED',
  'CORE_NO_SPACE',
  'CORE_SUPPRESSED',
  /** Over CORES_PER_FINGERPRINT. */
  'CORE_REPEATED',
  'CORE_NOT_WRITTEN',
  'DISK_FULL',
  /** The kernel ended the core before the size in its ELF headers: the process was killed. */
  'TRUNCATED',
  /** The kernel wrote nothing. */
  'EMPTY',
  'READ_ERROR',
  'TIMEOUT',
  'INTERRUPTED',
  'FAULT',
  // from records of the agent
  'COMPOSER_DIED',
  'SPOOL_DROPPED',
  'RATE_WINDOW',
  /** It was sent to the store while it was read, and that upload is gone. */
  'UPLOAD_LOST',
] as const

/** One of `CORE_REASON_CODES`. */
export type CoreReasonCode = (typeof CORE_REASON_CODES)[number]
