import type { JsonObject } from '../json.ts'
import type { Inspection } from '../runtime/runtime.ts'
import type { Identity } from './types.ts'

/** Where the first half of a look-up has got to, and the second goes on from. */
export interface Found {
  readonly identity: Identity
  readonly sandboxId?: string
  readonly podInfo?: JsonObject
  /** As `crictl inspectp`, where it has been asked for already. */
  readonly sandbox?: Inspection
  /** The container that crashed. */
  readonly container?: { readonly id: string; readonly inspection: Inspection }
}

export function unverified(reason: string, known: Omit<Identity, 'status' | 'reason'> = {}): Found {
  return { identity: { status: 'unverified', reason, ...known } }
}
