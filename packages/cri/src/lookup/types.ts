import type { JsonObject } from '../json.ts'
import type { LogTail } from '../log/read-tail.ts'
import type { Problem } from '../warning.ts'
import type { CrashFacts, ProcessSnapshot } from '../process/types.ts'

/** Who is looked for: a process, or, the ancestor's way, only a host name. */
export interface LookUpSubject {
  /** The crashing process; with it the host name is never looked at. */
  readonly snapshot?: ProcessSnapshot | undefined
  /** Host name of the crashing process (`%h`), used when there is no snapshot: a guess, never proof. */
  readonly hostname?: string | undefined
  readonly crash?: CrashFacts | undefined
}

export interface LookUpOptions {
  /**
   * Limit of the whole look-up.
   * @default 15000
   */
  readonly totalTimeoutMs?: number
  /**
   * Lines of each container's log.
   * @default 500
   */
  readonly logLines?: number
  /**
   * Bytes read of each container's log at most.
   * @default 1048576
   */
  readonly maxLogBytes?: number
  /**
   * Files kept of each container's first process, such as `auxv`, `cmdline`, `environ`, `maps`, `status`.
   * @default []
   */
  readonly includeProcessFiles?: readonly string[]
  /**
   * Where procfs is mounted.
   * @default '/proc'
   */
  readonly procRoot?: string
  /** Ends the look-up; what is known by then is the answer. */
  readonly signal?: AbortSignal
}

export type IdentityStatus = 'verified' | 'unverified' | 'host'

/** Whose crash it was; the `identity` of the bundle's manifest. */
export interface Identity {
  /**
   * `verified`: proven from the process to the pod; `host`: the process is in no container;
   * `unverified`: anything else, whatever is filled in below.
   */
  readonly status: IdentityStatus
  /** Why it is not verified, or that the crash was in the pod's sandbox (pause) process. */
  readonly reason?: string
  readonly containerId?: string
  /** Its name in the pod, be it an init, ephemeral or plain container; absent for the sandbox. */
  readonly container?: string
  readonly pod?: string
  readonly namespace?: string
  /** As the kubelet has it: of a static pod the `kubernetes.io/config.hash` of its mirror pod. */
  readonly podUid?: string
  readonly image?: string
  readonly imageRef?: string
  readonly restartCount?: number
}

/** The first answer: enough for a file name and a selector. */
export interface Identified {
  readonly identity: Identity
  /** An item of `crictl pods -o json`; `labels` are the pod's. Absent when no pod was found. */
  readonly podInfo?: JsonObject
}

/** The whole answer. Everything crictl-shaped is without values of environment variables. */
export interface LookUpResult extends Identified {
  /** As `crictl inspectp`. */
  readonly runtimeInfo?: JsonObject
  /** As `crictl ps -o json`: the running containers of the pod, and the one that crashed. */
  readonly psInfo?: JsonObject
  /** One for each of `psInfo.containers`, in the same order. */
  readonly containers: readonly ContainerDetails[]
  readonly problems: readonly Problem[]
}

export interface ContainerDetails {
  readonly id: string
  readonly name?: string
  /** It is this container's process that crashed. */
  readonly crashed: boolean
  /** An item of `crictl images -o json`. */
  readonly imageInfo?: JsonObject
  /** Host pid of the container's first process, as the runtime says. */
  readonly initPid?: number
  /** The files asked for, of the container's first process while it was still there. */
  readonly initFiles: ReadonlyMap<string, Buffer>
  /**
   * The last `logLines` lines. The file is open from the moment the runtime answered, and read
   * when this is called. Rejects when it could not be opened or read; call it before `close()`.
   */
  readLog(): Promise<LogTail>
}

/** A look-up under way. */
export interface LookUp {
  /** Resolves as soon as the pod is known, or never will be; does not reject. */
  readonly identified: Promise<Identified>
  /** Resolves when everything that could be had is there; does not reject. */
  readonly result: Promise<LookUpResult>
  /** Close the logs and end what is still under way. Does not close the runtime. */
  close(): Promise<void>
}
