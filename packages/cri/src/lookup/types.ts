import type { BlockingCalls } from '../blocking-calls.ts'
import type { JsonObject } from '../json.ts'
import type { LogTail } from '../log/read-tail.ts'
import type { Warning } from '../error.ts'
import type { CrashFacts, ProcessSnapshot } from '../process/types.ts'

/** What the lookup starts from: a process, or, as in IBM core-dump-handler 9, only a host name. */
export interface LookupSubject {
  /** The crashing process; with it the host name is not used. */
  readonly snapshot?: ProcessSnapshot | undefined
  /** Host name of the crashing process (`%h`), used where there is no snapshot: a guess, never proof. */
  readonly hostname?: string | undefined
  readonly crash?: CrashFacts | undefined
}

export interface LookupOptions {
  /**
   * Limit of the whole lookup.
   * @default 15000
   */
  readonly totalTimeoutMs?: number
  /**
   * Lines of each container's log.
   * @default 500
   */
  readonly logLines?: number
  /**
   * Upper bound of bytes read from each container's log.
   * @default 1048576
   */
  readonly maxLogBytes?: number
  /**
   * Files kept of each container's first process, such as `auxv`, `cmdline`, `environ`, `maps`,
   * `status`; at most 10 MiB for all containers.
   * @default []
   */
  readonly includeProcessFiles?: readonly string[]
  /**
   * Where procfs is mounted.
   * @default '/proc'
   */
  readonly procRoot?: string
  /** Ends the lookup; what is known by then is the result. */
  readonly signal?: AbortSignal
  /**
   * For logs and files of processes.
   * @default those of this process: while one hangs, no other lookup of this process tries its own
   */
  readonly blockingCalls?: BlockingCalls
}

export type IdentityStatus = 'verified' | 'unverified' | 'host'

/** Whose crash it was; the `identity` of the bundle's manifest. */
export interface Identity {
  /**
   * `verified`: proven from the process to the pod; `host`: the process is in no container;
   * `unverified`: anything else, whatever fields are filled in.
   */
  readonly status: IdentityStatus
  /** Why it is not verified, or that the crash was in no container of the pod. */
  readonly reason?: string
  readonly containerId?: string
  /** Its name in the pod, of an init, ephemeral or plain container; absent for the sandbox. */
  readonly container?: string
  readonly pod?: string
  readonly namespace?: string
  /** As the kubelet has it; of a static pod the `kubernetes.io/config.hash` of its mirror pod. */
  readonly podUid?: string
  readonly image?: string
  readonly imageRef?: string
  readonly restartCount?: number
}

/** The first half of a lookup: enough for a file name and a selector. */
export interface Identified {
  readonly identity: Identity
  /** An item of `crictl pods -o json`; `labels` are the pod's. Absent when no pod was found. */
  readonly podInfo?: JsonObject
}

/** The whole lookup. No field shaped like crictl's JSON holds values of environment variables. */
export interface LookupResult extends Identified {
  /** As `crictl inspectp`. */
  readonly runtimeInfo?: JsonObject
  /** As `crictl ps -o json`: the running containers of the pod, and the one that crashed. */
  readonly psInfo?: JsonObject
  /** One for each of `psInfo.containers`, in the same order. */
  readonly containers: readonly ContainerDetails[]
  readonly warnings: readonly Warning[]
}

export interface ContainerDetails {
  readonly id: string
  readonly name?: string
  /** It is this container's process that crashed. */
  readonly crashed: boolean
  /** An item of `crictl images -o json`. */
  readonly imageInfo?: JsonObject
  /** Host pid of the container's first process, as the runtime reports it. */
  readonly initPid?: number
  /** `includeProcessFiles` of the container's first process. */
  readonly initFiles: ReadonlyMap<string, Buffer>
  /**
   * The last `logLines` lines. The file is opened when the runtime names it, and read by this call.
   * Rejects when it could not be opened or read; call it before `close()`.
   */
  readLog(): Promise<LogTail>
}

/** A lookup in progress. */
export interface Lookup {
  /** Resolves as soon as the pod is known, or cannot be found; does not reject. */
  readonly identified: Promise<Identified>
  /** Resolves when the pod and its containers are described; does not reject. */
  readonly result: Promise<LookupResult>
  /** Close the logs and end the calls in progress. Does not close the runtime. */
  close(): Promise<void>
}
