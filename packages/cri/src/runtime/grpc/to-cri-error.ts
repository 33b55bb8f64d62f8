import { CriError, type CriErrorCode } from '../../error.ts'
import { messageOf, oneLine } from '../../text.ts'

/** The status codes of gRPC that are used here (grpc/doc/statuscodes.md). */
export const GrpcStatus = {
  canceled: 1,
  unknown: 2,
  deadlineExceeded: 4,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
  dataLoss: 15,
} as const

/** A call that ended without an answer; `status` comes from the runtime or from the channel. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly status: number

  constructor(status: number, message: string, cause?: unknown) {
    super(message, { cause })
    this.status = status
  }
}

const CODES: Readonly<Record<number, CriErrorCode>> = {
  [GrpcStatus.canceled]: 'CRI_ABORTED',
  [GrpcStatus.deadlineExceeded]: 'CRI_TIMEOUT',
  [GrpcStatus.notFound]: 'CRI_NOT_FOUND',
  [GrpcStatus.resourceExhausted]: 'CRI_TOO_LARGE',
  [GrpcStatus.unimplemented]: 'CRI_UNIMPLEMENTED',
  [GrpcStatus.unavailable]: 'CRI_UNAVAILABLE',
  [GrpcStatus.dataLoss]: 'CRI_MALFORMED',
}

const ADVICE: Partial<Readonly<Record<CriErrorCode, string>>> = {
  CRI_UNAVAILABLE: '; check that the runtime runs and that this is its CRI socket',
  CRI_UNIMPLEMENTED:
    '; CRI v1 is not served there: the socket is another program’s, or the runtime is too old',
}

/** The `CriError` for a failed call of `method` on `endpoint`. */
export function toCriError(method: string, endpoint: string, cause: unknown): CriError {
  const reason = oneLine(messageOf(cause))
  const code = codeOf(cause)
  const message = `Cannot call ${method} of \`${endpoint}\`: ${reason}${ADVICE[code] ?? ''}`
  return new CriError(code, message, { cause, endpoint })
}

function codeOf(error: unknown): CriErrorCode {
  if (!(error instanceof CallError)) return 'CRI_FAILED'
  // cri-dockerd returns the daemon's text with the code "unknown"
  if (error.status === GrpcStatus.unknown && /no such (container|pod)/i.test(error.message)) {
    return 'CRI_NOT_FOUND'
  }
  return CODES[error.status] ?? 'CRI_FAILED'
}
