import type { ComposerSettings } from '@core-dump-handler/capture/settings'
import type {
  BinariesOf,
  CrashReport,
  LogLine,
  ReportOptions,
} from '@core-dump-handler/capture/report'
import type {
  ContainerDetails,
  Identified,
  LookupResult,
  LookupSubject,
} from '@core-dump-handler/cri'
import type { PlainFacts, WindowMemory } from '@core-dump-handler/report'

/** What a receiver asks its helper. */
export type Request =
  | {
      readonly type: 'process'
      readonly id: number
      /** `/proc/<pid>/task/<tid>`, of a process that the kernel holds. */
      readonly directory: string
      readonly files: readonly string[]
      readonly maxFileBytes: number
      readonly wantsHostname: boolean
    }
  | {
      readonly type: 'lookup'
      readonly id: number
      readonly subject: LookupSubject
      readonly settings: ComposerSettings
      readonly home: string
      readonly factor: number
    }
  | {
      readonly type: 'log'
      readonly id: number
      readonly lookup: number
      readonly container: number
    }
  | { readonly type: 'close'; readonly lookup: number }
  | ReportRequest

/** What is asked of the helper that makes reports. */
export type ReportRequest =
  /** Opens the files and the memory of a process that the kernel holds; `id` names them from then on. */
  | { readonly type: 'hold'; readonly id: number; readonly directory: string }
  | {
      readonly type: 'stacks'
      readonly id: number
      readonly hold: number
      readonly facts: PlainFacts
      readonly readMs: number
    }
  | {
      readonly type: 'report'
      readonly id: number
      /** Undefined where no process is held, or its helper was given up. */
      readonly hold: number | undefined
      readonly facts: PlainFacts
      /** Memory that was taken from the core. */
      readonly windows: WindowMemory['windows']
      readonly options: ReportOptions
    }
  | {
      readonly type: 'fingerprint'
      readonly id: number
      readonly hold: number
      readonly facts: PlainFacts
      readonly windows: WindowMemory['windows']
    }
  | {
      readonly type: 'binaries'
      readonly id: number
      readonly hold: number
      readonly of: BinariesOf
    }
  | { readonly type: 'drop'; readonly hold: number }

/** A result without what only the helper has: the open logs. */
export type PlainResult = Omit<LookupResult, 'containers'> & {
  readonly containers: readonly (Omit<ContainerDetails, 'readLog'> & {
    readonly readLog: undefined
  })[]
}

export interface ProcessFile {
  readonly bytes: Buffer
  readonly truncated: boolean
}

/** What the helper answers. */
export type Reply =
  | {
      readonly type: 'process'
      readonly id: number
      readonly files: ReadonlyMap<string, ProcessFile>
      /** HOSTNAME of the environment; '' where it has none. */
      readonly hostname: string
      readonly errors: readonly string[]
    }
  | { readonly type: 'identified'; readonly id: number; readonly identified: Identified }
  | { readonly type: 'result'; readonly id: number; readonly result: PlainResult }
  | {
      readonly type: 'log'
      readonly id: number
      readonly bytes: Buffer
      readonly truncated: boolean
    }
  | { readonly type: 'held'; readonly id: number }
  /** How the reading of the stacks ended; what was read is kept for the report. */
  | {
      readonly type: 'stacks'
      readonly id: number
      readonly copied: 'all' | 'some' | 'late' | 'none'
    }
  | { readonly type: 'report'; readonly id: number; readonly report: CrashReport }
  | { readonly type: 'fingerprint'; readonly id: number; readonly fingerprint: string | undefined }
  /** What was written to the log. */
  | { readonly type: 'binaries'; readonly id: number; readonly lines: readonly LogLine[] }
  | { readonly type: 'failed'; readonly id: number; readonly message: string }
  /** It has loaded its code. */
  | { readonly type: 'ready'; readonly id: 0 }
  /** A call on a file system or on the memory of a process does not return. */
  | { readonly type: 'stuck'; readonly id: 0 }

/** Messages come from the other process of the same program: their shape is known by their type. */
export function isRequest(message: unknown): message is Request {
  return hasType(message, [
    'process',
    'lookup',
    'log',
    'close',
    'hold',
    'stacks',
    'report',
    'fingerprint',
    'binaries',
    'drop',
  ])
}

export function isReply(message: unknown): message is Reply {
  return hasType(message, [
    'process',
    'identified',
    'result',
    'log',
    'held',
    'stacks',
    'report',
    'fingerprint',
    'binaries',
    'failed',
    'ready',
    'stuck',
  ])
}

function hasType(message: unknown, types: readonly string[]): boolean {
  if (typeof message !== 'object' || message === null || !('type' in message)) return false
  return typeof message.type === 'string' && types.includes(message.type)
}
