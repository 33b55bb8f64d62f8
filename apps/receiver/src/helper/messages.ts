import type { ComposerSettings } from '@core-dump-handler/capture/settings'
import type {
  ContainerDetails,
  Identified,
  LookupResult,
  LookupSubject,
} from '@core-dump-handler/cri'

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
  | { readonly type: 'failed'; readonly id: number; readonly message: string }
  /** A call on a file system or on the memory of a process does not return. */
  | { readonly type: 'stuck'; readonly id: 0 }

/** Messages come from the other process of the same program: their shape is known by their type. */
export function isRequest(message: unknown): message is Request {
  return hasType(message, ['process', 'lookup', 'log', 'close'])
}

export function isReply(message: unknown): message is Reply {
  return hasType(message, ['process', 'identified', 'result', 'log', 'failed', 'stuck'])
}

function hasType(message: unknown, types: readonly string[]): boolean {
  if (typeof message !== 'object' || message === null || !('type' in message)) return false
  return typeof message.type === 'string' && types.includes(message.type)
}
